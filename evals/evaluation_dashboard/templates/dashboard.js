"use strict";
(() => {
  // the theme first: this script runs before anything is drawn
  const KEY = "ragline-theme";
  const PAGE = 10;
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function remembered() {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system"; // storage may be forbidden; the page works all the same
    }
  }

  function setTheme(name) {
    if (name === "light" || name === "dark") root.dataset.theme = name;
    else delete root.dataset.theme;
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // it holds for this visit
    }
  }

  const shownTheme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  if (remembered() !== "system") root.dataset.theme = remembered();

  const chosen = { chosen_set: "", chosen_tag: "" };
  const views = new Map();
  // which column of the numbers a choice is about
  const COLUMN = { chosen_set: "dataset", chosen_tag: "tag", chosen_metric: "metric", chosen_live: "metric", chosen_stage: "stage" };

  const cards = () => [...document.querySelectorAll("[data-figure]")];
  const figureOf = (card) => window.raglineDashboard.figures[card.dataset.figure];

  function settingsOf(card) {
    const found = figureOf(card).filtered ? { ...chosen } : {};
    for (const select of card.querySelectorAll("[data-parameter]")) found[select.dataset.parameter] = select.value;
    return found;
  }

  async function draw(card) {
    const old = views.get(card);
    if (old) old.finalize();
    const place = card.querySelector(".chart");
    const result = await window.vegaEmbed(place, figureOf(card).chart, {
      actions: false,
      ast: true, // expressions are interpreted: no eval, so that a strict policy holds
      config: window.raglineDashboard.themes[shownTheme()],
      defaultStyle: false,
      logLevel: 1, // errors; a layer without rows is no reason to warn
      mode: "vega-lite",
      renderer: "svg",
      tooltip: { disableDefaultStyle: true },
    });
    views.set(card, result);
    await apply(card);
  }

  async function apply(card) {
    const result = views.get(card);
    if (!result) return;
    const nothing = matching(card).length === 0;
    card.querySelector(".nothing").hidden = !nothing;
    card.querySelector(".chart").hidden = nothing;
    if (card.querySelector(".numbers").open) showNumbers(card);
    if (nothing) return; // without rows an axis has no ends, and Vega draws to infinity
    for (const [name, value] of Object.entries(settingsOf(card))) {
      try {
        result.view.signal(name, value);
      } catch {
        continue; // a figure with one choice has no parameter for it
      }
    }
    await result.view.runAsync();
  }

  function matching(card) {
    const figure = figureOf(card);
    const names = Object.keys(figure.columns);
    const wanted = Object.entries(settingsOf(card))
      .filter(([name, value]) => name !== "chosen_set" || value !== "")
      .map(([name, value]) => [names.indexOf(COLUMN[name]), value])
      .filter(([position]) => position >= 0);
    return figure.rows.filter((row) => wanted.every(([position, value]) => row[position] === value));
  }

  function element(name, text) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function shown(value) {
    if (value === null) return "–";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    return value.toFixed(Math.abs(value) < 10 ? 4 : 1);
  }

  function showNumbers(card) {
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const label of Object.values(figureOf(card).columns)) {
      const cell = element("th", label);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const row of matching(card)) {
      const line = body.insertRow();
      for (const value of row) line.append(element("td", shown(value)));
    }
    card.querySelector(".numbers .scroll").replaceChildren(table);
  }

  // the table of the questions that got worse
  let visible = PAGE;

  function filterQuestions() {
    const table = document.getElementById("regressed-table");
    if (!table) return;
    const release = document.getElementById("filter-release").value;
    const rows = [...table.tBodies[0].rows];
    const found = rows.filter(
      (row) =>
        (!chosen.chosen_set || row.dataset.dataset === chosen.chosen_set) &&
        (!chosen.chosen_tag || JSON.parse(row.dataset.tags).includes(chosen.chosen_tag)) &&
        (!release || row.dataset.release === release),
    );
    const kept = new Set(found.slice(0, visible));
    for (const row of rows) row.hidden = !kept.has(row);
    const count = `${found.length} of ${rows.length} questions${found.length > kept.size ? `, the first ${kept.size} shown` : ""}.`;
    document.getElementById("regressed-count").textContent = count;
    document.getElementById("regressed-more").hidden = kept.size === found.length;
  }

  function sortQuestions(button) {
    const header = button.closest("th");
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = button.dataset.key;
    const body = document.getElementById("regressed-table").tBodies[0];
    const text = key === "question" || key === "dataset";
    const compare = (one, other) =>
      text
        ? one.dataset[key].localeCompare(other.dataset[key])
        : Number(one.dataset[key]) - Number(other.dataset[key]);
    const rows = [...body.rows].sort((one, other) => (ascending ? 1 : -1) * compare(one, other));
    body.append(...rows);
    filterQuestions();
  }

  function filtersChanged() {
    chosen.chosen_set = document.getElementById("filter-set").value;
    chosen.chosen_tag = document.getElementById("filter-tag").value;
    visible = PAGE;
    filterQuestions();
    for (const card of views.keys()) if (figureOf(card).filtered) apply(card);
  }

  function listen() {
    const theme = document.getElementById("theme");
    theme.value = remembered();
    theme.addEventListener("change", () => {
      setTheme(theme.value);
      drawAll();
    });
    dark.addEventListener("change", () => {
      if (!root.dataset.theme) drawAll();
    });
    const filters = ["filter-set", "filter-tag", "filter-release"].map((id) => document.getElementById(id));
    for (const select of filters) select.addEventListener("change", filtersChanged);
    document.getElementById("filter-reset").addEventListener("click", () => {
      for (const select of filters) select.value = "";
      filtersChanged();
    });
    for (const button of document.querySelectorAll("#regressed-table thead button"))
      button.addEventListener("click", () => sortQuestions(button));
    document.getElementById("regressed-more")?.addEventListener("click", () => {
      visible += PAGE;
      filterQuestions();
    });
    for (const card of cards()) {
      for (const select of card.querySelectorAll("[data-parameter]"))
        select.addEventListener("change", () => chosenInFigure(select));
      card.querySelector(".numbers")?.addEventListener("toggle", (event) => {
        if (event.target.open) showNumbers(card);
      });
    }
  }

  // the same choice in another figure follows
  function chosenInFigure(changed) {
    const same = `[data-parameter="${changed.dataset.parameter}"]`;
    for (const card of cards())
      for (const select of card.querySelectorAll(same)) {
        if ([...select.options].some((option) => option.value === changed.value)) select.value = changed.value;
        apply(card);
      }
  }

  let drawing = Promise.resolve();

  function drawAll() {
    root.dataset.drawn = "";
    drawing = drawing.then(async () => {
      for (const card of cards()) if (figureOf(card)) await draw(card);
      root.dataset.drawn = shownTheme(); // tests and screenshots wait for it
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    listen();
    filterQuestions();
    drawAll();
  });
})();

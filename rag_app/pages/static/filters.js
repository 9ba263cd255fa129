// What narrows a question: sources, dates and further conditions, put together as one filter.
import { byId, el } from "./dom.js";
import { chosenRelease } from "./release.js";

/** Offer the sources that the reader may read from. */
export function showSources(names) {
  const before = new Set(checked());
  byId("sources-choice").hidden = names.length < 2;
  byId("sources").replaceChildren(...names.map((name) => el("label", { class: "chip" },
    el("input", { type: "checkbox", value: name, checked: before.has(name), onchange: count }), name)));
}

const checked = () => [...byId("sources").querySelectorAll("input:checked")].map((item) => item.value);
const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;

/** The filter in the service's language, and it in words. */
export function chosenFilter() {
  const parts = [];
  const words = [];
  const sources = checked();
  if (sources.length) {
    parts.push(`source in (${sources.map(quoted).join(", ")})`);
    words.push(`in ${sources.join(", ")}`);
  }
  const [from, to] = [byId("from").value, byId("to").value];
  if (from) parts.push(`modified >= ${from}`);
  if (to) parts.push(`modified <= ${to}`);
  if (from || to) words.push(`changed ${from ? `from ${from} ` : ""}${to ? `until ${to}` : ""}`.trim());
  const further = byId("filter").value.trim();
  if (further) {
    parts.push(parts.length ? `(${further})` : further);
    words.push(further);
  }
  return { filter: parts.join(" and "), words: words.join("; ") };
}

/** Say on the button how much is set. */
export function count() {
  const { words } = chosenFilter();
  const all = [words, chosenRelease().words].filter(Boolean);
  byId("narrow-text").textContent = all.length ? `Filter: ${all.join("; ")}`.slice(0, 60) : "Filter";
}

/** Start the part with the filters. */
export function startFilters() {
  const button = byId("narrow-open");
  button.addEventListener("click", () => {
    const part = byId("narrow");
    part.hidden = !part.hidden;
    button.setAttribute("aria-expanded", String(!part.hidden));
    if (!part.hidden) part.querySelector("input, select")?.focus();
  });
  byId("narrow").addEventListener("input", count);
  byId("narrow").addEventListener("change", count);
  byId("clear-filters").addEventListener("click", () => {
    for (const item of byId("narrow").querySelectorAll("input, select")) {
      if (item.type === "checkbox") item.checked = false;
      else item.value = "";
    }
    byId("as-of-field").hidden = true;
    count();
  });
}

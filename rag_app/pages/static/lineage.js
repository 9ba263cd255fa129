// Why an answer says what it says: sentences and their support, passages, versions, runs, configuration.
import { fetchJson } from "./api.js";
import { el, fill } from "./dom.js";
import { openPanel } from "./panel.js";
import { problemBox } from "./problem.js";
import { addressOf, answererWords, duration, moment, withheldWords } from "./words.js";

const DIGITS = 12;

/** Open the lineage of an answer. */
export async function openLineage(answer, button) {
  const body = openPanel("Why this answer", button);
  const mine = el("div", { class: "lineage", "aria-busy": "true" }, supportOf(answer));
  fill(body, mine);
  try {
    const found = await fetchJson(`/v1/answers/${encodeURIComponent(answer.answer_id)}/lineage`);
    if (!body.contains(mine)) return;
    mine.append(...partsOf(found, answer));
  } catch (error) {
    mine.append(problemBox(error));
  } finally {
    mine.removeAttribute("aria-busy");
  }
}

function partsOf(found, answer) {
  const hidden = found.withheld
    ? el("p", { class: "notice", text: withheldWords(found.withheld) })
    : null;
  const gone = found.index_problem ? el("p", { class: "notice", text: found.index_problem }) : null;
  const documents = found.documents.map((item) => documentOf(found, item));
  return [
    hidden, gone,
    documents.length ? section(answer.abstained ? "What was looked at" : "What was read", ...documents) : null,
    howOf(found, answer),
    found.release ? releaseOf(found) : null,
  ].filter(Boolean);
}

const section = (title, ...children) => el("section", {}, el("h3", { text: title }), ...children);

function supportOf(answer) {
  if (!answer.support?.length) return "";
  const items = answer.support.map((item) => {
    const percent = Math.round(item.score * 100);
    const cites = item.markers.length ? `by ${item.markers.map((name) => `[${name}]`).join(" ")}` : "nothing is cited";
    const meter = el("meter", {
      min: 0, max: 1, value: item.score, "aria-label": `${percent}% supported`,
    });
    return el("li", {}, meter, el("span", { text: item.sentence }),
      el("span", { class: "quiet", text: `${percent}% supported, ${cites}` }));
  });
  return section("How well each sentence is supported", el("ul", { class: "sentences" }, ...items));
}

function documentOf(found, item) {
  const passages = found.passages.filter((one) => one.document_id === item.document_id);
  const cards = passages.map((one) => {
    const page = one.page ? `, page ${one.page}` : "";
    const heading = one.heading_path.length ? `${one.heading_path.join(" › ")}: ` : "";
    const score = one.score === null ? "read for its context" : `score ${one.score.toFixed(2)}`;
    return el("div", {},
      el("p", { text: `Passage ${one.number}: ${heading}characters ${one.char_start}–${one.char_end}${page}, ${score}` }),
      stepsOf(one.runs));
  });
  return el("div", { class: "card" },
    el("h4", { text: item.title || item.document_id }),
    pairs([
      ["Document", item.document_id],
      ["Version", digest(item.content_sha256)],
      addressOf(item) !== item.document_id && ["Where", item.uri],
      item.stale && ["Stale", "a newer version could not be parsed"],
    ]),
    stepsOf(item.runs), ...cards);
}

function howOf(found, answer) {
  const times = Object.entries(answer.timings_ms || {}).filter(([name]) => name !== "total");
  return section("How it was answered", el("div", { class: "card" }, pairs([
    ["Asked", moment(found.asked_at)],
    ["By", answererWords(found.answerer)],
    found.task && ["Task", found.task.replaceAll("_", " ")],
    found.filter && ["Filter", typeof found.filter === "string" ? found.filter : JSON.stringify(found.filter)],
    found.groups && ["Groups", found.groups.join(", ") || "public only"],
    answer.usage?.prompt_tokens && ["Tokens", `${answer.usage.prompt_tokens} read, ${answer.usage.completion_tokens} written`],
    times.length && ["Time", times.map(([name, ms]) => `${name.replaceAll("_", " ")} ${duration(ms)}`).join(", ")],
    ["Answer id", el("span", { class: "digest", text: found.answer_id })],
  ])));
}

function releaseOf(found) {
  const { release } = found;
  return section("The release", el("div", { class: "card" }, pairs([
    ["Release", `${release.id} (${release.status}), made ${moment(release.created_at)}`],
    ["Contents", digest(release.manifest_sha256)],
    ...Object.entries(release.fingerprints).map(([name, value]) => [capital(name), digest(value)]),
    ...Object.entries(found.software).map(([name, value]) => [`Shown by`, `${name} ${value}`]),
  ]), stepsOf(release.runs)));
}

/** The stages that made something, each with its run in the Dagster UI. */
function stepsOf(runs) {
  if (!runs.length) return null;
  return el("ul", { class: "steps" }, ...runs.map((run) => {
    const link = /^https?:\/\//.test(run.run_url)
      ? el("a", { href: run.run_url, target: "_blank", rel: "noopener noreferrer", text: run.stage, title: `Run ${run.run_id}` })
      : el("span", { text: run.stage });
    return el("li", {}, link);
  }));
}

function pairs(rows) {
  const made = el("dl");
  for (const [name, value] of rows.filter(Boolean)) {
    if (!value) continue;
    made.append(el("dt", { text: name }), el("dd", {}, value));
  }
  return made;
}

const digest = (value) => value && el("span", { class: "digest", text: value.slice(0, DIGITS), title: value });
const capital = (text) => text[0].toUpperCase() + text.slice(1).replaceAll("_", " ");

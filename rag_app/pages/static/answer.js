// One answer: its text with citations that can be opened, its sources, and what has to be known of it.
import { el, icon } from "./dom.js";
import { render } from "./markdown.js";
import { openPassage } from "./passage.js";
import {
  addressOf, answererWords, confidenceWords, degradedWords, dollars, duration, headingOf, moment, pagesWords,
} from "./words.js";

const MARKER = /\s*\[\d+(?:\s*,\s*\d+)*\]/g;

/**
 * The text of an answer.
 * @param {string} text
 * @param {object|null} answer the whole answer once it is there; before that, markers are no buttons
 */
export function answerText(text, answer) {
  const cited = new Map((answer?.citations || []).map((item) => [item.marker, item]));
  const marker = (numbers) => {
    const made = el("span", { class: "cites" });
    for (const number of numbers) {
      const citation = cited.get(number);
      made.append(citation ? citeButton(citation, answer) : el("span", { class: "cite pending", text: number }));
    }
    return made;
  };
  const uncited = () => el("span", { class: "uncited", title: "Nothing is cited for this" });
  const ranges = answer ? uncitedSpans(text, answer.support || []).map((span) => ({ ...span, make: uncited })) : [];
  return render(text, { marker, ranges }).node;
}

function citeButton(citation, answer) {
  const pages = pagesWords(null, citation.page);
  const label = `Source ${citation.marker}: ${citation.title || citation.document_id}${pages && `, ${pages}`}`;
  return el("button", {
    type: "button", class: "cite", text: citation.marker, "aria-label": label, title: label, "aria-expanded": "false",
    "aria-controls": "panel",
    onclick: (event) => openPassage(citation, answer, event.currentTarget),
  });
}

/** Where sentences stand for which nothing is cited. */
export function uncitedSpans(text, support) {
  const found = [];
  for (const item of support) {
    if (item.markers?.length || !item.sentence) continue;
    const span = locate(text, item.sentence);
    if (span && !found.some((other) => other.start < span.end && span.start < other.end)) found.push(span);
  }
  return found.sort((a, b) => a.start - b.start);
}

/** Find a sentence, which is written without markers and with single spaces, in the text. */
function locate(text, sentence) {
  const bare = [];
  const at = [];
  const skipped = [...text.matchAll(MARKER)];
  for (let index = 0, skip = 0; index < text.length; index += 1) {
    if (skip < skipped.length && index === skipped[skip].index) {
      index += skipped[skip][0].length - 1;
      skip += 1;
      continue;
    }
    if (/[\s*`#>]/.test(text[index])) continue;
    bare.push(text[index]);
    at.push(index);
  }
  const wanted = sentence.replace(MARKER, "").replace(/[\s*`#>]/g, "");
  const start = bare.join("").indexOf(wanted);
  if (!wanted || start < 0) return null;
  return { start: at[start], end: at[start + wanted.length - 1] + 1 };
}

/** What has to be known of an answer at a glance. */
export function factsOf(answer) {
  const parts = [];
  const confidence = confidenceWords(answer.confidence, answer.weak_evidence);
  if (confidence && !answer.abstained) {
    const level = confidence.level === "weak" ? "weak-evidence" : confidence.level;
    parts.push(el("span", { class: `badge ${level}`, text: confidence.text }));
  }
  if (!answer.abstained) parts.push(el("span", { text: answererWords(answer.answerer) }));
  const made = moment(answer.release?.created_at);
  parts.push(el("span", { text: `Release ${answer.release?.id}${made && ` of ${made}`}` }));
  if (answer.timings_ms?.total) parts.push(el("span", { text: duration(answer.timings_ms.total) }));
  const cost = dollars(answer.usage?.cost_usd);
  if (cost) parts.push(el("span", { text: cost }));
  return el("p", { class: "facts" }, ...parts);
}

/** Why an answer is less than it could be, in plain words. */
export function noticesOf(answer) {
  const words = [...new Set((answer.degraded || []).map(degradedWords))];
  const uncited = uncitedSpans(answer.answer, answer.support || []).length;
  if (uncited) {
    const what = uncited === 1 ? "One sentence cites" : `${uncited} sentences cite`;
    words.push(`${what} nothing (dotted line). Do not rely on it without a look at the documents.`);
  }
  if (!words.length) return null;
  return el("ul", { class: "notices" }, ...words.map((text) => el("li", { class: "notice", text })));
}

/** The passages that are cited, or that came closest, by document, as buttons that open them. */
export function sourcesOf(answer, headingId) {
  const cited = answer.citations || [];
  const listed = cited.length ? cited : answer.abstained ? answer.closest || [] : [];
  if (!listed.length) return null;
  const documents = Map.groupBy(listed, (item) => item.document_id);
  return el("section", { class: "sources", "aria-labelledby": headingId },
    el("h3", { id: headingId, text: cited.length ? "Sources" : "What came closest" }),
    el("ul", {}, ...[...documents.values()].map((items) => documentOf(items, answer))));
}

function documentOf(items, answer) {
  const [{ title, uri, document_id }] = items;
  return el("li", { class: "source-document" },
    el("p", { class: "title", text: title || document_id }),
    el("p", { class: "place", "data-uri": addressOf({ uri, document_id }), text: document_id }),
    el("ul", {}, ...items.map((item) => el("li", {}, sourceButton(item, answer)))));
}

function sourceButton(item, answer) {
  const place = [headingOf(item), pagesWords(null, item.page)].filter(Boolean).join(" · ");
  return el("button", {
    type: "button", class: "source", "aria-expanded": "false", "aria-controls": "panel",
    onclick: (event) => openPassage(item, answer, event.currentTarget),
  },
  el("span", { class: "number", text: answer.abstained ? "→" : item.marker, "aria-hidden": answer.abstained && "true" }),
  el("span", { class: "quote", text: item.quote.replace(/\s+/g, " ") }),
  place && el("span", { class: "place", text: place }));
}

/** A button with an icon and a word. */
export function action(name, text, onclick, more = {}) {
  return el("button", { type: "button", class: "tool", onclick, ...more }, icon(name), el("span", { text }));
}

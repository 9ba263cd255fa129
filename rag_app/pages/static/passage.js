// A passage highlighted in its document, with the text around it.
import { documentPath, fetchJson } from "./api.js";
import { el, fill } from "./dom.js";
import { problemBox } from "./problem.js";
import { render } from "./markdown.js";
import { openPanel } from "./panel.js";
import { pagesWords } from "./words.js";

const AROUND = 5000; // characters shown before and after the passage
const STEP = 15000; // further ones at a time

/**
 * Open a citation in its document.
 * @param {object} citation
 * @param {object} answer whose release the document is read from
 * @param {Element} button that opened it
 */
export async function openPassage(citation, answer, button) {
  const body = openPanel(citation.title || citation.document_id, button);
  const place = el("div", { class: "document rendered", "aria-busy": "true" }, quoteOf(citation));
  fill(body, whereOf(citation), place);
  try {
    const found = await fetchJson(`${documentPath(citation.document_id)}?release=${answer.release.id}`);
    if (!body.contains(place)) return; // another one was opened meanwhile
    fill(body, whereOf(citation), suggestion(place, found), place);
    show(place, found, citation, AROUND, AROUND);
    place.querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (error) {
    if (!body.contains(place)) return;
    fill(body, whereOf(citation), problemBox(error), place);
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** The cited words alone, until (or if never) the document is there. */
function quoteOf(citation) {
  return el("blockquote", {}, el("mark", { text: citation.quote || "" }));
}

function whereOf(citation) {
  const heading = citation.heading_path?.join(" › ");
  const pages = pagesWords(citation.pages, citation.page);
  const web = /^https?:\/\//.test(citation.uri || "");
  const address = web
    ? el("a", { href: citation.uri, target: "_blank", rel: "noopener noreferrer", text: citation.uri })
    : el("span", { text: citation.uri || citation.document_id });
  const copies = citation.copies?.length ? `The same passage is in ${citation.copies.join(", ")}` : "";
  return el("div", { class: "where" }, heading && el("span", { text: heading }),
    pages && el("span", { text: pages.replace(/^p/, "P") }), address, copies && el("span", { text: copies }));
}

/** Show the document from `before` characters before the passage to `after` behind it. */
function show(place, found, citation, before, after) {
  const text = found.text;
  const [first, last] = spanIn(text, citation);
  const start = lineStart(text, Math.max(0, first - before));
  const end = lineEnd(text, Math.min(text.length, last + after));
  const range = { start: first, end: last, make: () => el("mark") };
  const { node, offsets } = render(text.slice(start, end), {
    offset: start, ranges: last > first ? [range] : [], pages: found.page_starts || [],
  });
  place.offsets = offsets;
  const more = (label, wider) => el("button", {
    type: "button", class: "plain more", text: label,
    onclick: () => {
      const height = place.scrollHeight;
      show(place, found, citation, ...wider);
      if (wider[0] > before) place.parentElement.scrollTop += place.scrollHeight - height;
    },
  });
  fill(place,
    start > 0 && more("Show more before", [before + STEP, after]),
    node,
    end < text.length && more("Show more after", [before, after + STEP]));
}

/** The span of the quote; a document that changed meanwhile has it elsewhere, or nowhere. */
function spanIn(text, citation) {
  const { char_start: start, char_end: end, quote } = citation;
  if (!quote || text.slice(start, end) === quote) return [start, Math.min(end, text.length)];
  const found = text.indexOf(quote);
  return found < 0 ? [0, 0] : [found, found + quote.length];
}

const lineStart = (text, at) => (at === 0 ? 0 : text.lastIndexOf("\n", at) + 1);
const lineEnd = (text, at) => {
  const found = text.indexOf("\n", at);
  return found < 0 ? text.length : found;
};

/** Selected words become the citation that an answer should have had. */
function suggestion(place, found) {
  const button = el("button", {
    type: "button", class: "plain", text: "Suggest the selected words as the right passage", disabled: true,
    onclick: () => {
      const span = selectedSpan(place);
      if (!span) return;
      const detail = { document_id: found.document_id, title: found.title, quote: found.text.slice(...span) };
      document.dispatchEvent(new CustomEvent("passage-suggested", { detail }));
    },
  });
  const line = el("p", { class: "suggest", hidden: true }, button);
  const look = () => {
    if (!place.isConnected) return document.removeEventListener("selectionchange", look);
    line.hidden = button.disabled = !selectedSpan(place);
  };
  document.addEventListener("selectionchange", look);
  return line;
}

/** The selected part of the document, as offsets of its text. */
function selectedSpan(place) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !place.offsets) return null;
  const range = selection.getRangeAt(0);
  if (!place.contains(range.commonAncestorContainer)) return null;
  const [start, end] = [[range.startContainer, range.startOffset], [range.endContainer, range.endOffset]]
    .map(([node, offset]) => (place.offsets.has(node) ? place.offsets.get(node) + offset : null));
  return start === null || end === null || end <= start ? null : [start, end];
}

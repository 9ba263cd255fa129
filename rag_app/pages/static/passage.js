// A passage highlighted in its document, with the text around it.
import { documentPath, fetchJson } from "./api.js";
import { el, fill } from "./dom.js";
import { problemBox } from "./problem.js";
import { render } from "./markdown.js";
import { openPanel } from "./panel.js";
import { addressOf, headingOf, pagesWords } from "./words.js";

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
  fill(body, whereOf(citation), suggestion(place, citation), place);
  await show({ place, citation, release: answer.release.id, before: AROUND, after: AROUND });
  place.querySelector("mark")?.scrollIntoView({ block: "center" });
}

/** The cited words alone, until (or if never) the document is there. */
function quoteOf(citation) {
  return el("blockquote", {}, el("mark", { text: citation.quote || "" }));
}

function whereOf(citation) {
  const heading = headingOf(citation);
  const pages = pagesWords(citation.pages, citation.page);
  const web = /^https?:\/\//.test(citation.uri || "");
  const address = web
    ? el("a", { href: citation.uri, target: "_blank", rel: "noopener noreferrer", text: citation.uri })
    : el("span", { text: addressOf(citation) });
  const copies = citation.copies?.length ? `The same passage is in ${citation.copies.join(", ")}` : "";
  return el("div", { class: "where" }, heading && el("span", { text: heading }),
    pages && el("span", { text: pages.replace(/^p/, "P") }), address, copies && el("span", { text: copies }));
}

/** Show the document from `before` characters before the passage to `after` behind it. */
async function show(view) {
  const { place, citation, release, before, after } = view;
  const start = Math.max(0, citation.char_start - before);
  const query = new URLSearchParams({ release, start, end: citation.char_end + after });
  try {
    const found = await fetchJson(`${documentPath(citation.document_id)}?${query}`);
    if (place.isConnected) draw(view, found);
  } catch (error) {
    if (place.isConnected) place.prepend(problemBox(error));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function draw(view, found) {
  const { place, citation, before, after } = view;
  // whole lines: what is cut at its begin would be taken for something else
  const cut = found.char_offset > 0 ? found.text.indexOf("\n") + 1 : 0;
  const offset = found.char_offset + cut;
  const end = found.char_offset + found.text.length;
  const span = spanIn(found, citation);
  const ranges = span ? [{ ...span, make: () => el("mark") }] : [];
  const { node, offsets } = render(found.text.slice(cut), { offset, ranges, pages: found.page_starts });
  place.source = { text: found.text, start: found.char_offset, offsets };
  const more = (label, wider) => el("button", {
    type: "button", class: "plain more", text: label,
    onclick: async () => {
      const [panel, height] = [place.parentElement, place.scrollHeight];
      await show({ ...view, ...wider });
      if (wider.before) panel.scrollTop += place.scrollHeight - height;
    },
  });
  fill(place,
    !span && el("p", { class: "notice", text: "The passage is not in this version of the document any more." }),
    found.stale && el("p", { class: "notice", text: "A newer version of this document could not be read; this is the one before." }),
    offset > 0 && more("Show more before", { before: before + STEP }),
    node,
    end < found.length && more("Show more after", { after: after + STEP }));
}

/** The span of the quote; in a document that changed meanwhile it may be elsewhere, or nowhere. */
function spanIn(found, { char_start: start, char_end: end, quote }) {
  const at = start - found.char_offset;
  if (found.text.slice(at, at + (end - start)) === quote) return { start, end };
  const elsewhere = quote ? found.text.indexOf(quote) : -1;
  if (elsewhere < 0) return null;
  return { start: found.char_offset + elsewhere, end: found.char_offset + elsewhere + quote.length };
}

/** Selected words become the citation that an answer should have had. */
function suggestion(place, citation) {
  const button = el("button", {
    type: "button", class: "plain", text: "Suggest the selected words as the right passage", disabled: true,
    onmousedown: (event) => event.preventDefault(), // which would take the selection away
    onclick: () => {
      const quote = selectedText(place);
      if (!quote) return;
      const detail = { document_id: citation.document_id, title: citation.title, quote };
      document.dispatchEvent(new CustomEvent("passage-suggested", { detail }));
    },
  });
  const line = el("p", { class: "suggest", hidden: true }, button);
  const look = () => {
    if (!place.isConnected) return document.removeEventListener("selectionchange", look);
    line.hidden = button.disabled = !selectedText(place);
  };
  document.addEventListener("selectionchange", look);
  return line;
}

/** The selected words as the document has them, with its marks; empty where nothing is selected. */
function selectedText(place) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !place.source) return "";
  const { text, start, offsets } = place.source;
  const range = selection.getRangeAt(0);
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  let [first, last] = [Infinity, -1];
  // a selection may begin or end between elements: what counts is the text that it reaches
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!offsets.has(node) || !range.intersectsNode(node)) continue;
    const from = node === range.startContainer ? range.startOffset : 0;
    const to = node === range.endContainer ? range.endOffset : node.length;
    if (to <= from) continue;
    first = Math.min(first, offsets.get(node) + from);
    last = Math.max(last, offsets.get(node) + to);
  }
  return last < 0 ? "" : text.slice(first - start, last - start).trim();
}

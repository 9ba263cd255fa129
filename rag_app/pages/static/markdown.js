// A small part of Markdown as elements, with the offset of every piece of text in its source.
// Links and pictures are shown as their words: a document must not be able to send a reader anywhere.
import { el } from "./dom.js";

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^(#{1,6})\s+/;
const ITEM = /^(\s*)(?:[-*+•]|(\d+)[.)])\s+/;
const ROW = /^\s*\|.*\|\s*$/;
const RULE = /^\s*\|?[\s:|-]+\|?\s*$/;
const INLINE =
  /\*\*(.+?)\*\*|`([^`]+)`|!?\[([^\]]*)\]\([^)\s]*\)|\[(\d+(?:\s*,\s*\d+)*)\]|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])/g;

/**
 * Render a text.
 * @param {string} text
 * @param {object} options
 * @param {Array<{start: number, end: number, make: function(): Element}>} [options.ranges] spans that
 *   are wrapped; they do not overlap
 * @param {function(string[]): Node} [options.marker] makes what stands for `[1, 2]`; without it, text
 * @param {number} [options.offset] where the text begins in its document
 * @param {number[]} [options.pages] offsets in the document at which pages begin
 * @returns {{node: DocumentFragment, offsets: WeakMap<Text, number>}}
 */
export function render(text, options = {}) {
  const { ranges = [], marker = null, offset = 0, pages = [] } = options;
  const offsets = new WeakMap();
  const node = document.createDocumentFragment();

  const plain = (parent, from, to) => {
    let at = from;
    while (at < to) {
      const range = ranges.find((item) => item.end > at + offset && item.start < to + offset);
      const start = range ? Math.max(range.start - offset, at) : to;
      if (start > at) write(parent, at, start);
      if (!range) break;
      const end = Math.min(range.end - offset, to);
      const wrapped = range.make();
      write(wrapped, start, end);
      parent.append(wrapped);
      at = end;
    }
  };
  const write = (parent, from, to) => {
    const piece = document.createTextNode(text.slice(from, to));
    offsets.set(piece, from + offset);
    parent.append(piece);
  };
  const inline = (parent, from, to) => {
    let at = from;
    for (const found of text.slice(from, to).matchAll(INLINE)) {
      const start = from + found.index;
      const [whole, bold, code, link, numbers, stressed] = found;
      if (numbers !== undefined && !marker) continue;
      // a marker stands close to what it belongs to
      const gap = numbers === undefined ? 0 : /\s*$/.exec(text.slice(at, start))[0].length;
      plain(parent, at, start - gap);
      if (bold !== undefined) parent.append(inlined(el("strong"), start + 2, start + 2 + bold.length));
      else if (stressed !== undefined) parent.append(inlined(el("em"), start + 1, start + 1 + stressed.length));
      else if (code !== undefined) {
        const made = el("code");
        plain(made, start + 1, start + 1 + code.length);
        parent.append(made);
      } else if (link !== undefined) {
        const begin = start + whole.indexOf("[") + 1;
        plain(parent, begin, begin + link.length);
      } else parent.append(marker(numbers.split(/\s*,\s*/)));
      at = start + whole.length;
    }
    plain(parent, at, to);
  };
  const inlined = (parent, from, to) => {
    inline(parent, from, to);
    return parent;
  };

  const lines = linesOf(text);
  let page = 0;
  for (let index = 0; index < lines.length; ) {
    const { start, end } = lines[index];
    const before = page;
    while (page < pages.length && pages[page] <= start + offset) page += 1;
    if (page > before && pages.length > 1) node.append(el("p", { class: "page-break", text: `Page ${page}` }));
    index = block(lines, index, start, end);
  }

  function block(all, index, start, end) {
    const line = text.slice(start, end);
    if (!line.trim()) return index + 1;
    if (FENCE.test(line)) return fenced(all, index);
    const heading = HEADING.exec(line);
    if (heading) {
      const level = heading[1].length;
      node.append(inlined(el("p", { class: `doc-heading level-${level}` }), start + heading[0].length, end));
      return index + 1;
    }
    if (ROW.test(line)) return table(all, index);
    if (ITEM.test(line)) return list(all, index);
    let last = index;
    while (last + 1 < all.length && continues(text.slice(all[last + 1].start, all[last + 1].end))) {
      last += 1;
    }
    const quote = /^\s*>\s?/.exec(line);
    const kind = quote ? el("blockquote") : el("p");
    node.append(inlined(kind, start + (quote ? quote[0].length : 0), all[last].end));
    return last + 1;
  }

  function fenced(all, index) {
    let last = index + 1;
    while (last < all.length && !FENCE.test(text.slice(all[last].start, all[last].end))) last += 1;
    const made = el("pre", { tabindex: "0" });
    if (last > index + 1) plain(made, all[index + 1].start, all[last - 1].end);
    node.append(made);
    return last + 1;
  }

  function list(all, index) {
    const ordered = ITEM.exec(text.slice(all[index].start, all[index].end))[2] !== undefined;
    const made = ordered
      ? el("ol", { start: ITEM.exec(text.slice(all[index].start, all[index].end))[2] })
      : el("ul");
    let at = index;
    while (at < all.length) {
      const { start, end } = all[at];
      const item = ITEM.exec(text.slice(start, end));
      if (!item || (item[2] !== undefined) !== ordered) break;
      let last = at;
      while (last + 1 < all.length && continues(text.slice(all[last + 1].start, all[last + 1].end))) {
        last += 1;
      }
      const depth = Math.min(3, Math.floor(item[1].length / 2));
      made.append(inlined(el("li", { class: `depth-${depth}` }), start + item[0].length, all[last].end));
      at = last + 1;
    }
    node.append(made);
    return at;
  }

  function table(all, index) {
    const rows = [];
    let at = index;
    while (at < all.length && ROW.test(text.slice(all[at].start, all[at].end))) rows.push(all[at++]);
    const headed = rows.length > 1 && RULE.test(text.slice(rows[1].start, rows[1].end));
    const made = el("table");
    rows.forEach(({ start, end }, number) => {
      if (headed && number === 1) return;
      const row = el("tr");
      for (const [from, to] of cells(start, text.slice(start, end))) {
        row.append(inlined(el(headed && number === 0 ? "th" : "td"), from, to));
      }
      made.append(row);
    });
    const name = "Table of the document";
    node.append(el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, made));
    return at;
  }

  return { node, offsets };
}

/** Whether a line goes on with the paragraph before it. */
function continues(line) {
  return line.trim() && ![FENCE, HEADING, ITEM, ROW].some((kind) => kind.test(line));
}

/** Where the lines of a text begin and end, without their line ends. */
function linesOf(text) {
  const found = [];
  let start = 0;
  while (start <= text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    found.push({ start, end });
    start = end + 1;
  }
  return found;
}

/** The spans of the cells of a table row. */
function cells(start, line) {
  const bars = [...line.matchAll(/(?<!\\)\|/g)].map((found) => found.index);
  return bars.slice(1).map((bar, number) => {
    const raw = line.slice(bars[number] + 1, bar);
    const from = start + bars[number] + 1 + (raw.length - raw.trimStart().length);
    return [from, from + raw.trim().length];
  });
}

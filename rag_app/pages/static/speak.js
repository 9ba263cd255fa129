// What a screen reader is told: whole sentences, one after the other, never letters of a stream.
import { byId, el } from "./dom.js";

const END = /[.!?…:]["”’)]?(\s|$)/g;
let waiting = "";

/** Say one thing. */
export function say(text) {
  if (text.trim()) byId("spoken").append(el("p", { text }));
}

/** Forget what was said, before something new begins. */
export function hush() {
  waiting = "";
  byId("spoken").replaceChildren();
}

/** Say what is complete of a stream. */
export function sayStreamed(piece) {
  waiting += piece;
  const last = [...waiting.matchAll(END)].at(-1);
  if (!last) return;
  const end = last.index + last[0].length;
  say(spoken(waiting.slice(0, end)));
  waiting = waiting.slice(end);
}

/** Say what is left of a stream. */
export function sayRest() {
  say(spoken(waiting));
  waiting = "";
}

/** Markers as words. */
export function spoken(text) {
  return text.replace(/\[(\d+(?:\s*,\s*\d+)*)\]/g, " (source $1)").replace(/[*`#|]/g, "");
}

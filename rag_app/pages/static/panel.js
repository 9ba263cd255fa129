// The panel at the side: opened by a button, which gets the focus back when it is closed.
import { byId, fill } from "./dom.js";

let opener = null;
let closing = null;
const narrow = matchMedia("(max-width: 960px)");

/**
 * Open the panel.
 * @param {string} title
 * @param {Element} button that opened it
 * @param {function(): void} [onClose]
 * @returns {HTMLElement} its body, empty
 */
export function openPanel(title, button, onClose) {
  if (opener && opener !== button) opener.setAttribute("aria-expanded", "false");
  closing?.();
  closing = onClose || null;
  opener = button;
  opener?.setAttribute("aria-expanded", "true");
  byId("panel-title").textContent = title;
  byId("panel").hidden = false;
  cover();
  const body = fill(byId("panel-body"));
  body.scrollTop = 0;
  byId("panel-title").focus({ preventScroll: true });
  return body;
}

/** Close it. */
export function closePanel() {
  if (byId("panel").hidden) return;
  byId("panel").hidden = true;
  cover();
  closing?.();
  closing = null;
  opener?.setAttribute("aria-expanded", "false");
  if (opener?.isConnected) opener.focus();
  opener = null;
}

/** Where the panel covers everything, what lies below cannot be reached. */
function cover() {
  const covered = narrow.matches && !byId("panel").hidden;
  for (const part of [byId("main"), document.querySelector(".top")]) part.inert = covered;
}

/** Start its button and the Escape key. */
export function startPanel() {
  byId("panel-close").addEventListener("click", closePanel);
  narrow.addEventListener("change", cover);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) closePanel();
  });
}

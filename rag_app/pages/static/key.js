// The access key: kept in this tab's session storage, sent as a header, never in an address.
import { byId } from "./dom.js";

const KEY = "ragline-key";
let remembered = "";
let changed = () => {};

/** The key of this tab; empty without one. */
export function currentKey() {
  try {
    return sessionStorage.getItem(KEY) || remembered;
  } catch {
    return remembered; // storage may be forbidden; then it lives as long as the page
  }
}

function keep(value) {
  remembered = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

/** Ask for a key, and say why. */
export function wantKey(reason = "") {
  const dialog = byId("key-dialog");
  const told = byId("key-reason");
  told.hidden = !reason;
  told.textContent = reason;
  byId("key-open").hidden = false;
  byId("key").value = "";
  if (!dialog.open) dialog.showModal();
  byId("key").focus();
}

/** Start the dialog; `onChange` is called whenever the key is another one. */
export function startKey(onChange) {
  changed = onChange;
  byId("key-open").addEventListener("click", () => wantKey());
  byId("key-forget").addEventListener("click", () => {
    keep("");
    byId("key-dialog").close();
    changed();
  });
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = byId("key").value.trim();
    if (!value) return byId("key").focus();
    keep(value.replace(/^Bearer\s+/i, ""));
    byId("key").value = "";
    byId("key-dialog").close();
    changed();
  });
}

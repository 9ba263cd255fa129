// An error, as something a reader can do something about.
import { el } from "./dom.js";

/** What happened, what to do, and the id that the operator can look for. */
export function problemBox(error) {
  const hint = error.hint || (error.status === undefined ? "Reload the page; if it goes on, tell whoever runs this service." : "");
  return el("div", { class: "problem", role: "alert" },
    el("strong", { text: error.message }),
    hint && el("span", { text: hint }),
    error.requestId && error.status >= 500 && el("span", { class: "digest", text: ` Request ${error.requestId}` }));
}

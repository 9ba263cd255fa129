// Adding documents, and following each until one can ask about it.
import { documentPath, fetchJson, request } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { say } from "./speak.js";

/** What is told to the document when an upload has got as far as it will. */
export const RELEASED = "ragline:released";

const EVERY_MS = 1500;
const SLOW_MS = 5000;
const SLOW_AFTER = 20; // looks

// state of the service: what is said, how it looks
const STATES = {
  sending: ["sending", ""],
  pending: ["waiting for its release", ""],
  indexed: ["released", "released"],
  empty: ["no text found", "failed"],
  quarantined: ["cannot be read", "failed"],
  refused: ["refused", "failed"],
};
const ENDS = ["indexed", "empty", "quarantined"];

/** Start the dialog. */
export function startUploads() {
  const [dialog, drop, files] = [byId("upload-dialog"), byId("drop"), byId("files")];
  byId("upload-open").addEventListener("click", () => dialog.showModal());
  files.addEventListener("change", () => {
    for (const file of files.files) send(file);
    files.value = "";
  });
  const over = (value) => (event) => {
    event.preventDefault();
    drop.classList.toggle("over", value);
  };
  drop.addEventListener("dragover", over(true));
  drop.addEventListener("dragleave", over(false));
  drop.addEventListener("drop", (event) => {
    over(false)(event);
    for (const file of event.dataTransfer.files) send(file);
  });
}

async function send(file) {
  const state = el("span", { class: "state" });
  const why = el("span", { class: "why" });
  byId("uploads").prepend(el("li", {}, el("span", { text: file.name }), state, why));
  const show = (name, ...reasons) => {
    const [said, look] = STATES[name];
    if (state.textContent !== said) say(`${file.name}: ${said}`);
    state.textContent = said;
    state.className = `state ${look}`;
    fill(why, ...reasons);
  };
  show("sending");
  const body = new FormData();
  body.append("file", file, file.name);
  try {
    const stored = await (await request("/v1/documents", { method: "POST", body })).json();
    show("pending");
    await follow(stored.document_id, show);
  } catch (error) {
    show("refused", el("span", { text: [error.message, error.hint].filter(Boolean).join(" ") }));
  }
}

/** Look at a document's state until it does not change any more. */
async function follow(id, show) {
  for (let looks = 0; ; looks += 1) {
    await new Promise((done) => setTimeout(done, looks < SLOW_AFTER ? EVERY_MS : SLOW_MS));
    let found;
    try {
      found = await fetchJson(`${documentPath(id)}/status`);
    } catch (error) {
      // it may not be listed yet, and a service that starts again is no reason to give up
      if ([0, 404, 429].includes(error.status) || error.status >= 500) continue;
      throw error;
    }
    if (found.state in STATES) show(found.state, found.reason && el("span", { text: found.reason }));
    if (!ENDS.includes(found.state)) continue;
    // a new release, and perhaps a source that had nothing to read before
    document.dispatchEvent(new Event(RELEASED));
    return;
  }
}

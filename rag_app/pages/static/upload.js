// Adding documents, and following each until one can ask about it.
import { documentPath, fetchJson, request } from "./api.js";
import { byId, el } from "./dom.js";
import { loadReleases } from "./release.js";
import { say } from "./speak.js";

const EVERY_MS = 1500;
const SLOW_MS = 5000;
const SLOW_AFTER = 20; // looks

const STATES = {
  sending: "sending",
  pending: "waiting to be indexed",
  indexed: "indexed, waiting for its release",
  released: "released",
  empty: "no text found",
  quarantined: "cannot be read",
  failed: "refused",
};

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
  const state = el("span", { class: "state", text: STATES.sending });
  const why = el("span", { class: "why" });
  byId("uploads").prepend(el("li", {}, el("span", { text: file.name }), state, why));
  const show = (name, reason = "") => {
    if (state.textContent !== STATES[name]) say(`${file.name}: ${STATES[name] || name}`);
    state.textContent = STATES[name] || name;
    state.className = `state ${name === "released" ? "released" : ["failed", "quarantined", "empty"].includes(name) ? "failed" : ""}`;
    why.textContent = reason;
  };
  try {
    const body = new FormData();
    body.append("file", file, file.name);
    const stored = await (await request("/v1/documents", { method: "POST", body })).json();
    show("pending");
    await follow(stored.document_id, show);
  } catch (error) {
    show("failed", [error.message, error.hint].filter(Boolean).join(" "));
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
      if (error.status === 404 || error.status === 0 || error.status >= 500 || error.status === 429) continue;
      throw error;
    }
    show(found.status, found.reason);
    if (found.status === "released") {
      loadReleases();
      return;
    }
    if (found.status === "empty" || found.status === "quarantined") return;
  }
}

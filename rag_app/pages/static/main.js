// Where the page begins: every part is started once, and what the reader may do is asked for.
import { fetchJson } from "./api.js";
import { ask, isAsking, stop } from "./ask.js";
import { byId } from "./dom.js";
import { startFeedback } from "./feedback.js";
import { chosenFilter, count, showSources, startFilters } from "./filters.js";
import { currentKey, startKey, wantKey } from "./key.js";
import { startPanel } from "./panel.js";
import { chosenRelease, loadReleases, startReleases } from "./release.js";
import { startTheme } from "./theme.js";
import { RELEASED, startUploads } from "./upload.js";

/** Ask for what this reader may do, and show that. */
async function loadReader() {
  let reader;
  try {
    reader = await fetchJson("/page/reader");
  } catch (error) {
    if (error.status !== 401) console.info(error.message);
    return;
  }
  byId("key-open").hidden = !reader.authentication;
  byId("upload-open").hidden = !reader.may_upload;
  byId("evals").hidden = !reader.may_see_quality;
  showSources(reader.sources);
  if (reader.authentication && !reader.identified) {
    if (!currentKey()) wantKey("This service answers only those who have a key.");
    return;
  }
  count();
  await loadReleases();
}

function startQuestion() {
  const [form, question] = [byId("ask"), byId("question")];
  const grow = () => {
    question.rows = Math.min(8, question.value.split("\n").length);
  };
  question.addEventListener("input", grow);
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape" && isAsking()) {
      event.stopPropagation();
      stop();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = question.value.trim();
    if (!text || isAsking()) return;
    question.value = "";
    grow();
    byId("narrow").hidden = true;
    byId("narrow-open").setAttribute("aria-expanded", "false");
    const [filter, release] = [chosenFilter(), chosenRelease()];
    const words = [filter.words, release.words].filter(Boolean).join("; ");
    ask({ question: text, filter: filter.filter, parameters: release.parameters, words });
  });
  byId("stop").addEventListener("click", () => {
    stop();
    question.focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      question.focus();
    }
  });
  if (matchMedia("(pointer: fine)").matches) question.focus();
}

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
startTheme();
startPanel();
startKey(loadReader);
startReleases();
startFilters();
startFeedback();
startUploads();
document.addEventListener(RELEASED, loadReader);
startQuestion();
await loadReader();
document.documentElement.dataset.ready = "";

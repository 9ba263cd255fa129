// What a reader says of an answer: a thumb, words, and the passage that should have been cited.
import { fetchJson, request } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { problemBox } from "./problem.js";
import { say } from "./speak.js";
import { counted } from "./words.js";

const LIMIT = 5;
let open = null; // the form that suggestions from an opened document go to

/**
 * Open the form below an answer.
 * @param {object} answer
 * @param {"up"|"down"} rating
 * @param {HTMLElement} row of the buttons
 * @param {HTMLElement} button that was pressed
 */
export function openFeedback(answer, rating, row, button) {
  for (const other of row.querySelectorAll("[aria-pressed]")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  row.parentElement.querySelector(".feedback, .thanks")?.remove();
  const form = feedbackForm(answer, rating, () => button.focus());
  row.after(form.node);
  open = form;
  form.node.querySelector("textarea").focus({ preventScroll: true });
  form.node.scrollIntoView({ block: "nearest" });
}

function feedbackForm(answer, rating, onCancel) {
  const id = answer.answer_id;
  const comment = el("textarea", { class: "comment", id: `comment-${id}`, maxlength: "4000", rows: "2" });
  const choices = el("div", { class: "choices" });
  const problem = el("div");
  const node = el("form", { class: "feedback", "aria-label": "Feedback on this answer" },
    el("div", { class: "field" },
      el("label", { for: `comment-${id}`, text: rating === "up" ? "What was good? (optional)" : "What is wrong or missing? (optional)" }),
      comment),
    correction(answer, choices),
    problem,
    el("div", { class: "buttons" },
      el("button", { type: "button", class: "plain", text: "Cancel", onclick: () => { node.remove(); open = null; onCancel(); } }),
      el("button", { type: "submit", class: "primary", text: "Send" })));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const send = node.querySelector(".primary");
    send.disabled = true;
    const citations = [...choices.querySelectorAll("input:checked")].map((item) => item.passage);
    const json = { answer_id: id, rating, comment: comment.value.trim(), citations };
    try {
      await request("/v1/feedback", { method: "POST", json });
    } catch (error) {
      fill(problem, problemBox(error));
      send.disabled = false;
      return;
    }
    open = null;
    const thanks = el("p", { class: "thanks", tabindex: "-1", text: "Thank you. Whoever keeps the questions of this service sees it." });
    node.replaceWith(thanks);
    thanks.focus();
    say(thanks.textContent);
  });
  return { node, add: (passage) => addChoice(choices, passage, true) };
}

function correction(answer, choices) {
  for (const item of [...answer.citations, ...answer.closest]) addChoice(choices, passageOf(item), false);
  const id = `find-${answer.answer_id}`;
  const words = el("input", { type: "search", id, autocomplete: "off" });
  const found = el("div");
  const look = async () => {
    if (!words.value.trim()) return words.focus();
    fill(found);
    try {
      const { hits } = await fetchJson("/v1/search", { method: "POST", json: { query: words.value.trim(), limit: LIMIT } });
      if (!hits.length) fill(found, el("p", { class: "quiet", text: "Nothing was found." }));
      for (const hit of hits) addChoice(choices, passageOf({ ...hit, quote: hit.text }), false);
      say(`${counted(hits.length, "passage")} found.`);
    } catch (error) {
      fill(found, problemBox(error));
    }
  };
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    look();
  });
  return el("fieldset", {},
    el("legend", { text: "Which passages answer the question? (optional)" }),
    choices,
    el("label", { class: "quiet find-label", for: id, text: "Find another passage, or select words in an opened document" }),
    el("div", { class: "find" }, words, el("button", { type: "button", class: "plain", text: "Find", onclick: look })),
    found);
}

const passageOf = ({ document_id, title, quote }) => ({ document_id, title, quote });

function addChoice(choices, passage, checked) {
  const same = [...choices.querySelectorAll("input")].find(
    (item) => item.passage.document_id === passage.document_id && item.passage.quote === passage.quote);
  if (same) {
    same.checked = same.checked || checked;
    return;
  }
  const box = el("input", { type: "checkbox", checked });
  box.passage = { document_id: passage.document_id, quote: passage.quote || null };
  choices.append(el("label", { class: "choice" }, box,
    el("span", { text: passage.title || passage.document_id }),
    passage.quote && el("span", { class: "quiet", text: short(passage.quote) })));
}

function short(text) {
  const plain = text.replace(/\s+/g, " ");
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain;
}

/** Take words that were selected in an opened document into the form that is open. */
export function startFeedback() {
  document.addEventListener("passage-suggested", (event) => {
    if (!open?.node.isConnected) {
      say("Press “Not right” below an answer first.");
      return;
    }
    open.add(event.detail);
    byId("panel-close").click();
    open.node.scrollIntoView({ block: "nearest" });
    say("The passage was added to your feedback.");
  });
}

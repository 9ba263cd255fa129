// One question from its first byte to its last: the stream, the checked answer, what went wrong.
import { action, answerText, factsOf, noticesOf, sourcesOf } from "./answer.js";
import { Problem, request } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { openFeedback } from "./feedback.js";
import { openLineage } from "./lineage.js";
import { problemBox } from "./problem.js";
import { hush, say, sayRest, sayStreamed, spoken } from "./speak.js";
import { events } from "./sse.js";
import { addressOf, counted } from "./words.js";

let running = null;
let count = 0;

/** Whether an answer is being written. */
export const isAsking = () => running !== null;

/** Stop the answer that is being written; the service stops the language model. */
export function stop() {
  running?.abort();
}

/**
 * Ask, and show what comes.
 * @param {object} asked `question`, `filter`, `parameters` (release or as_of) and `words` for both
 */
export async function ask(asked) {
  const turn = newTurn(asked);
  const controller = (running = new AbortController());
  hush();
  say("Searching the documents.");
  busy(true);
  try {
    const answer = await streamed(asked, turn, controller.signal);
    finish(turn, answer, asked);
  } catch (error) {
    if (error.name === "AbortError" || controller.signal.aborted) stopped(turn, asked);
    else failed(turn, asked, error);
  } finally {
    running = null;
    busy(false);
    turn.text.removeAttribute("aria-busy");
  }
}

async function streamed(asked, turn, signal) {
  const query = new URLSearchParams(asked.parameters);
  const path = `/v1/ask${query.size ? `?${query}` : ""}`;
  const json = { question: asked.question, filter: asked.filter, stream: true };
  const response = await request(path, { method: "POST", json, signal, headers: { Accept: "text/event-stream" } });
  const known = {};
  for await (const { event, data } of events(response)) {
    const value = JSON.parse(data);
    if (event === "token") grow(turn, value.text);
    else if (event === "reset") reset(turn);
    else if (event === "error") throw new Problem(value.status || 500, value);
    else Object.assign(known, value);
    if (event === "done") return known;
  }
  throw new Problem(0, {
    detail: "The answer broke off before its end.",
    hint: "Ask again; if it goes on, tell whoever runs this service.",
  });
}

function newTurn(asked) {
  count += 1;
  byId("welcome").hidden = true;
  const text = el("div", { class: "answer rendered", "aria-busy": "true" });
  const progress = el("p", { class: "progress", text: "Searching the documents" });
  const rest = el("div", { class: "turn-rest" });
  const box = el("article", { class: "turn", "aria-labelledby": `question-${count}` },
    el("h2", { id: `question-${count}`, text: asked.question }),
    asked.words && el("p", { class: "asked-with", text: `Asked ${asked.words}` }),
    progress, text, rest);
  byId("turns").append(box);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  box.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  return { box, text, progress, rest, written: "", number: count, drawing: false };
}

function grow(turn, piece) {
  turn.written += piece;
  turn.progress.textContent = "Answering";
  sayStreamed(piece);
  if (turn.drawing) return;
  turn.drawing = true;
  requestAnimationFrame(() => {
    turn.drawing = false;
    if (turn.text.hasAttribute("aria-busy")) fill(turn.text, answerText(turn.written, null));
  });
}

function reset(turn) {
  turn.written = "";
  hush();
  say("The language model failed; the documents are quoted instead.");
  turn.progress.textContent = "The language model failed; quoting the documents instead";
  fill(turn.text);
}

function finish(turn, answer, asked) {
  turn.progress.remove();
  turn.text.removeAttribute("aria-busy");
  turn.text.classList.toggle("abstained", answer.abstained);
  fill(turn.text, answerText(answer.answer, answer));
  if (!turn.written) say(spoken(answer.answer));
  else sayRest();
  const found = answer.abstained
    ? counted(answer.closest.length, "close passage, which does not answer", "close passages, none of which answers")
    : counted(answer.citations.length, "source");
  say(`Done. ${found}.`);
  turn.rest.replaceWith(
    ...[factsOf(answer), noticesOf(answer), sourcesOf(answer, `sources-${turn.number}`), actionsOf(answer, turn, asked)]
      .filter(Boolean));
}

function actionsOf(answer, turn, asked) {
  const recorded = !answer.degraded.includes("log_failed");
  const row = el("div", { class: "actions" });
  row.append(
    action("why", "Why this answer", (event) => openLineage(answer, event.currentTarget), {
      "aria-expanded": "false", "aria-controls": "panel",
    }),
    action("copy", "Copy", (event) => copy(answer, event.currentTarget)));
  if (recorded) {
    row.append(
      action("up", "Helpful", (event) => openFeedback(answer, "up", row, event.currentTarget), { "aria-pressed": "false" }),
      action("down", "Not right", (event) => openFeedback(answer, "down", row, event.currentTarget), { "aria-pressed": "false" }));
  }
  return row;
}

async function copy(answer, button) {
  const notes = answer.citations.map((item) => `[${item.marker}] ${item.title || item.document_id}, ${addressOf(item)}`);
  const text = [answer.answer, notes.join("\n")].filter(Boolean).join("\n\n");
  let told = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    told = "The browser does not allow copying";
  }
  button.lastChild.textContent = told;
  say(told);
  setTimeout(() => { button.lastChild.textContent = "Copy"; }, 2000);
}

function again(asked) {
  return el("div", { class: "actions" },
    el("button", { type: "button", class: "tool", text: "Ask again", onclick: () => !isAsking() && ask(asked) }));
}

function stopped(turn, asked) {
  turn.progress.remove();
  turn.rest.replaceWith(
    el("p", { class: "notice", text: "You stopped this answer. What is there was not checked against its sources." }),
    again(asked));
  say("Stopped.");
}

function failed(turn, asked, error) {
  turn.progress.remove();
  fill(turn.text);
  turn.rest.replaceWith(problemBox(error), again(asked));
}

function busy(value) {
  byId("stop").hidden = !value;
  byId("send").hidden = value;
}

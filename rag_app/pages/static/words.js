// What the service says in names, in plain words.

const DEGRADED = {
  llm_unreachable: "The language model could not be reached. These are sentences quoted from the documents.",
  llm_timeout: "The language model was too slow. These are sentences quoted from the documents.",
  llm_overloaded: "The language model has too much to do. These are sentences quoted from the documents.",
  llm_bad_key: "The language model refused the key of this service. These are sentences quoted from the documents.",
  llm_unknown_model: "The language model that is configured does not exist. These are sentences quoted from the documents.",
  llm_prompt_too_long: "The passages were too long for the language model. These are sentences quoted from the documents.",
  llm_uncited: "The language model named no sources, so its text was dropped. These are sentences quoted from the documents.",
  llm_broken_off: "The language model broke off. These are sentences quoted from the documents.",
  citations_removed: "The language model cited sources that do not exist; those citations were removed.",
  answer_cut: "The answer was cut at its greatest length.",
  passage_cut: "A passage was too long and was read in part.",
  expansion_failed: "The question could not be rephrased for the search; it was searched for as it stands.",
  reranker_failed: "The passages could not be ranked a second time; they are in the order of the search.",
  release_fallback: "The current release cannot be read; an older one answers.",
  log_failed: "This answer could not be recorded: its origin cannot be shown later, and feedback on it cannot be kept.",
  cache_unavailable: "The shared memory of answers is out of reach; everything was computed anew.",
};

/** Why an answer is less than it could be. */
export function degradedWords(name) {
  if (DEGRADED[name]) return DEGRADED[name];
  if (name.startsWith("llm_")) {
    return "The language model failed. These are sentences quoted from the documents.";
  }
  return `Something was left out: ${name.replaceAll("_", " ")}.`;
}

/** A number of things: `one` is what one of them is called, `many` what several are called. */
export function counted(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** That passages are kept back from this reader. */
export function withheldWords(number) {
  const kept = counted(number, "passage is not shown: you may not read it", "passages are not shown: you may not read them");
  return `${kept} (any more).`;
}

/** How sure the evidence is, as a word; `weak` where the answer itself says so. */
export function confidenceWords(confidence, weak = false) {
  if (confidence === null || confidence === undefined) return weak ? { level: "weak", text: "Weak evidence" } : null;
  const percent = `${Math.round(confidence * 100)}%`;
  if (weak) return { level: "weak", text: `Weak evidence (${percent})` };
  if (confidence >= 0.8) return { level: "strong", text: `Strong evidence (${percent})` };
  if (confidence >= 0.5) return { level: "fair", text: `Fair evidence (${percent})` };
  return { level: "weak", text: `Weak evidence (${percent})` };
}

/** Who wrote an answer. */
export function answererWords(answerer) {
  if (!answerer || answerer === "extractive") return "Quoted from the documents";
  const model = answerer.replace(/^llm:/, "");
  return `Written by ${model || "the language model"}`;
}

/** A span of time, roughly. */
export function ago(seconds) {
  if (seconds < 90) return "a moment";
  const steps = [[60, "minute"], [3600, "hour"], [86400, "day"], [604800, "week"]];
  const [size, unit] = steps.filter(([step]) => seconds >= step).at(-1);
  const count = Math.round(seconds / size);
  return counted(count, unit);
}

/** A moment, as this reader writes it. */
export function moment(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text || "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Milliseconds, readable. */
export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A sum of money that may be tiny. */
export function dollars(value) {
  if (!value) return "";
  return value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;
}

/** The pages of a passage. */
export function pagesWords(pages, page) {
  const known = pages?.length ? pages : page ? [page] : [];
  if (!known.length) return "";
  const [first, last] = [known[0], known.at(-1)];
  return first === last ? `page ${first}` : `pages ${first}–${last}`;
}

/** Where a document is, for people: a file of the service's own disk is known by its id. */
export function addressOf({ uri, document_id: id }) {
  return !uri || uri.startsWith("file:") ? id : uri;
}

/** The headings above a passage, without the title of its document, which stands beside them. */
export function headingOf({ heading_path: path = [], title }) {
  return (path[0] === title ? path.slice(1) : path).join(" › ");
}

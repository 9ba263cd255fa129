// Requests to the service, with the key of this tab, and errors that say what to do.
import { currentKey, wantKey } from "./key.js";

/** An error with what happened (`message`), what to do (`hint`) and the request's id. */
export class Problem extends Error {
  constructor(status, document = {}) {
    super(document.detail || document.title || `The service answered with status ${status}.`);
    this.status = status;
    this.hint = document.hint || "";
    this.requestId = document.request_id || "";
    this.retryAfter = 0;
  }
}

/**
 * Send a request; everything but 2xx is thrown as a Problem.
 * @param {string} path
 * @param {object} options of fetch; `json` is sent as the body
 */
export async function request(path, options = {}) {
  const { json, ...rest } = options;
  const headers = new Headers(rest.headers);
  const key = currentKey();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  if (json !== undefined) {
    headers.set("Content-Type", "application/json");
    rest.body = JSON.stringify(json);
  }
  let response;
  try {
    response = await fetch(path, { ...rest, headers, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      detail: "The service cannot be reached.",
      hint: "Check your connection and whether the service is running, then ask again.",
    });
  }
  if (response.ok) return response;
  throw await problemOf(response, Boolean(key));
}

/** `request`, and its JSON. */
export async function fetchJson(path, options = {}) {
  return (await request(path, options)).json();
}

/** The path of a document; its id has slashes of its own. */
export function documentPath(id) {
  return `/v1/documents/${id.split("/").map(encodeURIComponent).join("/")}`;
}

async function problemOf(response, withKey) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // a proxy may answer with a page of its own
  }
  const problem = new Problem(response.status, said);
  problem.retryAfter = Number(response.headers.get("Retry-After")) || 0;
  if (response.status === 401) {
    problem.hint = "Enter an access key that holds; whoever runs this service gives them out.";
    wantKey(withKey ? problem.message : "This service answers only those who have a key.");
  } else if (response.status === 403 && !problem.hint) {
    problem.hint = "Your key does not allow this; ask whoever runs this service.";
  } else if (response.status === 429 && problem.retryAfter) {
    problem.hint = `Try again in ${problem.retryAfter} seconds.`;
  } else if (response.status >= 500 && !problem.hint) {
    problem.hint = "Try again in a moment; if it goes on, tell whoever runs this service.";
  }
  return problem;
}

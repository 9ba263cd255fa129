// Let those in who have a key: the one of this tab, or one that is entered here.
import { byId } from "./dom.js";
import { currentKey } from "./key.js";

async function open(key) {
  const headers = { Authorization: `Bearer ${key}` };
  const response = await fetch("/evals/session", { method: "POST", headers, credentials: "same-origin" });
  if (response.ok) return "";
  const said = await response.json().catch(() => ({}));
  return [said.detail || "This key does not open the dashboard.", said.hint].filter(Boolean).join(" ");
}

async function enter(key) {
  let problem;
  try {
    problem = await open(key);
  } catch {
    problem = "The service cannot be reached. Check your connection, then try again.";
  }
  if (!problem) return location.reload();
  byId("problem").textContent = problem;
  byId("problem").hidden = false;
  byId("key").focus();
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = byId("key").value.trim().replace(/^Bearer\s+/i, "");
  byId("key").value = "";
  if (key) enter(key);
});
// a browser that keeps no cookie would come back here for ever
const TRIED = "ragline-evals-tried";
if (currentKey() && !sessionStorage.getItem(TRIED)) {
  sessionStorage.setItem(TRIED, "1");
  await enter(currentKey());
} else sessionStorage.removeItem(TRIED);
byId("key").focus();

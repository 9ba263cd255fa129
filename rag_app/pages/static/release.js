// Which release answers, how fresh it is, and which other one may be asked.
import { fetchJson } from "./api.js";
import { byId, el } from "./dom.js";
import { ago, moment } from "./words.js";

const AS_OF = "as-of";
const CHOICES = 100; // older ones can be asked by a date

/** Show the live release in the head of the page, and the others in the choice. */
export async function loadReleases() {
  let found;
  let live;
  try {
    found = await fetchJson(`/v1/releases?readable=true&limit=${CHOICES}`);
    live = found.releases.find((item) => item.id === found.live);
    if (!live && found.live) live = await fetchJson(`/v1/releases/${found.live}`);
  } catch (error) {
    if (error.status !== 401) showHead(null, "The releases cannot be listed");
    return;
  }
  showHead(live, live ? "" : "Nothing has been released yet");
  const choice = byId("which");
  const chosen = choice.value;
  const older = found.releases.filter((item) => item.status === "retired");
  choice.replaceChildren(
    el("option", { value: "", text: live ? `Live: release ${live.id}` : "The one that is live" }),
    el("option", { value: AS_OF, text: "As of a date …" }),
    ...older.map((item) => el("option", { value: String(item.id), text: `Release ${item.id}, ${moment(item.created_at)}` })));
  choice.value = [...choice.options].some((item) => item.value === chosen) ? chosen : "";
}

/** Show which release is live and how far it may lie behind the sources. */
export function showHead(release, problem = "") {
  const place = byId("release");
  place.hidden = false;
  place.classList.toggle("problematic", Boolean(problem));
  if (!release) {
    place.textContent = problem;
    return;
  }
  const lag = release.source_lag_seconds ?? (Date.now() - Date.parse(release.created_at)) / 1000;
  place.textContent = `Release ${release.id} · ${ago(Math.max(0, lag))} behind its sources at most`;
  place.title = `Made ${moment(release.created_at)}`;
}

/** The release that is asked: `{release}`, `{as_of}` or `{}`; and it in words. */
export function chosenRelease() {
  const value = byId("which").value;
  if (!value) return { parameters: {}, words: "" };
  if (value !== AS_OF) return { parameters: { release: value }, words: `release ${value}` };
  const day = byId("as-of").value;
  return day ? { parameters: { as_of: day }, words: `as of ${day}` } : { parameters: {}, words: "" };
}

/** Show the date only where it counts. */
export function startReleases() {
  byId("which").addEventListener("change", () => {
    const dated = byId("which").value === AS_OF;
    byId("as-of-field").hidden = !dated;
    if (dated) byId("as-of").focus();
  });
}

// Light, dark, or as the system prefers.
import { byId } from "./dom.js";

const KEY = "ragline-theme";
const ORDER = ["system", "light", "dark"];

/** Let the button go through the themes, and remember the choice where that is allowed. */
export function startTheme() {
  const button = byId("theme");
  const current = () => document.documentElement.dataset.theme || "system";
  const show = () => {
    button.setAttribute("aria-label", `Theme: ${current()}`);
    button.title = `Theme: ${current()}`;
    button.dataset.theme = current();
  };
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      if (next === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // storage may be forbidden; the choice holds until the page is left
    }
    show();
  });
  show();
}

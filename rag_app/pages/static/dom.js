// Elements without markup: texts of documents and answers only ever become text nodes.

/**
 * Make an element.
 * @param {string} name
 * @param {object} given attributes; `class`, `text`, `on…` handlers, booleans, everything else as it is
 * @param {...(Node|string|null|undefined|false)} children
 */
export function el(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** An icon of the sprite in the page; it says nothing to screen readers. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("focusable", "false");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  made.append(use);
  return made;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Put these in the place of everything an element holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter(Boolean));
  return parent;
}

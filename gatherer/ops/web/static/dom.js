// Changes existing nodes instead of replacing them: nothing flickers, and focus, selection and scroll position stay.

export const byId = (id) => document.getElementById(id);

export function make(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function svg(name, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

export function symbol(kind) {
  const picture = svg("svg", { class: "symbol", "aria-hidden": "true" });
  picture.append(svg("use", { href: `#s-${kind}` }));
  return picture;
}

export const setSymbol = (picture, kind) => setAttribute(picture.firstElementChild, "href", `#s-${kind}`);

// A definition list from [term, value, level?] rows, keyed by the term.
export function patchFacts(list, rows) {
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  for (const [term, value, level = ""] of rows) {
    let row = known.get(term);
    known.delete(term);
    if (!row) {
      row = make("div");
      row.dataset.key = term;
      row.append(make("dt", "", term), make("dd"));
      list.append(row);
    }
    setText(row.lastElementChild, value);
    setAttribute(row, "data-level", level);
  }
  for (const row of known.values()) row.remove();
}

// Children from items, keyed; `build(item)` makes a missing one. Order is that of the items.
export function patchList(list, items, key, build) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let before = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    known.delete(name);
    if (!child) {
      child = build(item);
      child.dataset.key = name;
    }
    if (child === before) before = before.nextElementSibling;
    else list.insertBefore(child, before);
  }
  for (const child of known.values()) child.remove();
}

// What can be seen of a page's accessibility from the inside. Each function lists what is wrong.

const shown = (node) => node.checkVisibility() && !node.closest(".hidden, .symbols, noscript, .skip");
const brief = (node) => node.outerHTML.slice(0, 160);

// Whatever can be operated or jumped to has a name.
function unnamed() {
  const nodes = document.querySelectorAll("button, a, input, svg[role=img], [role=group], section, nav, [tabindex='0']");
  return [...nodes].filter((node) => {
    const ids = (node.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
    const texts = [
      node.getAttribute("aria-label"),
      ...ids.map((id) => document.getElementById(id)?.textContent),
      ...[...(node.labels ?? [])].map((label) => label.textContent),
      node.matches("button, a") ? node.textContent : "",
    ];
    return node.checkVisibility() && !texts.some((text) => text?.trim());
  }).map(brief);
}

// References to what is not there, ids that are there twice, headings that skip a level.
function broken() {
  const wrong = [];
  for (const name of ["aria-labelledby", "aria-describedby", "for"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) {
      for (const id of node.getAttribute(name).split(" ")) if (!document.getElementById(id)) wrong.push(`${name}=${id}`);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  wrong.push(...ids.filter((id, index) => ids.indexOf(id) !== index));
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((node) => Number(node.tagName[1]));
  levels.forEach((level, index) => {
    if (index && level > levels[index - 1] + 1) wrong.push(`h${levels[index - 1]} before h${level}`);
  });
  if (document.querySelectorAll("main").length !== 1 || levels[0] !== 1) wrong.push("no one main, or no h1 first");
  return wrong;
}

// Text with less contrast than WCAG AA asks for (4.5).
function faint() {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (colour) => colour.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    for (let here = node; here; here = here.parentElement) {
      const colour = parse(getComputedStyle(here).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !shown(node)) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.add(`${ratio.toFixed(2)} ${brief(node)}`);
  }
  return [...found].slice(0, 10);
}

// What sticks out of the window to the right, and text that sticks out of its tile.
function wider() {
  const edge = document.documentElement.clientWidth + 1;
  const out = [...document.querySelectorAll("body *")].filter((node) => shown(node) && node.getBoundingClientRect().right > edge);
  const cut = [...document.querySelectorAll(".tile")].filter((node) => node.scrollWidth > node.clientWidth);
  return [...out, ...cut].map(brief).slice(0, 10);
}

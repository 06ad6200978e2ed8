// Small plots of the last ten minutes: SVG paths, one point for each sample, a shared hair line under the pointer.

import { make, setAttribute, setText, svg } from "./dom.js";
import { clock } from "./format.js";

const SPAN = 600;           // seconds
const WIDTH = 300;
const HEIGHT = 56;

export class Plot {
  // `bars` for what is counted per sample, a line for what is measured; `show` formats a value.
  constructor(parent, { title, column, unit, bars = false, show, total = false }) {
    Object.assign(this, { title, column, unit, bars, show, total });
    this.card = make("figure", "card");
    const caption = make("figcaption");
    this.value = make("span", "value", "–");
    this.note = make("span", "note");
    caption.append(make("span", "title", title), this.value, this.note);
    this.picture = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.area = svg("path", { class: bars ? "bars" : "area" });
    this.line = svg("path", { class: "line" });
    this.hair = svg("path", { class: "hair" });
    this.picture.append(this.area, this.line, this.hair);
    this.most = make("span", "most");
    const frame = make("div", "frame");
    frame.append(this.picture, this.most);
    const axis = make("div", "axis");
    axis.setAttribute("aria-hidden", "true");
    axis.append(make("span", "", "10 min ago"), make("span", "at"), make("span", "", "now"));
    this.at = axis.children[1];
    this.card.append(caption, frame, axis);
    parent.append(this.card);
  }

  draw(rows, now) {
    this.rows = rows;
    this.now = now;
    const values = rows.map((row) => row[this.column]);
    const top = Math.max(...values, 0);
    const scale = top || 1;
    const points = rows.map((row) => [this.x(row.at), HEIGHT - 2 - (row[this.column] / scale) * (HEIGHT - 8)]);
    setAttribute(this.line, "d", this.bars ? "" : path(points));
    setAttribute(this.area, "d", this.bars ? bars(points) : area(points));
    setText(this.most, top ? this.show(top) : "");
    setAttribute(this.picture, "aria-label", this.describe(values, top));
  }

  // The plot in words, for screen readers.
  describe(values, top) {
    if (!values.length) return `${this.title}, last 10 minutes: nothing yet`;
    if (this.bars) {
      const sum = values.reduce((left, right) => left + right, 0);
      return `${this.title}, last 10 minutes: ${this.show(sum)} in all`;
    }
    const least = Math.min(...values);
    return `${this.title}, last 10 minutes: now ${this.show(values.at(-1))}, lowest ${this.show(least)}, highest ${this.show(top)}`;
  }

  x(at) {
    return WIDTH - ((this.now - at) / SPAN) * WIDTH;
  }

  // The sample nearest to a share of the width; null removes the hair line.
  point(share) {
    const at = share === null ? null : this.now - SPAN * (1 - share);
    const row = at === null ? null : nearest(this.rows ?? [], at);
    setAttribute(this.hair, "d", row ? `M${this.x(row.at).toFixed(1)} 0V${HEIGHT}` : "");
    setText(this.at, row ? `${clock(row.at)}  ${this.show(row[this.column])}${this.unit}` : "");
  }
}

export function hover(plots) {
  const move = (share) => plots.forEach((plot) => plot.point(share));
  for (const plot of plots) {
    plot.picture.addEventListener("pointermove", (event) => {
      const box = plot.picture.getBoundingClientRect();
      move((event.clientX - box.left) / box.width);
    });
    plot.picture.addEventListener("pointerleave", () => move(null));
  }
}

function nearest(rows, at) {
  let found = null;
  for (const row of rows) if (!found || Math.abs(row.at - at) < Math.abs(found.at - at)) found = row;
  return found && Math.abs(found.at - at) < 10 ? found : null;
}

const point = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

const path = (points) => (points.length ? `M${points.map(point).join("L")}` : "");

function area(points) {
  if (!points.length) return "";
  return `${path(points)}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z`;
}

const bars = (points) =>
  points.filter(([, y]) => y < HEIGHT - 2).map(([x, y]) => `M${point([x, y])}V${HEIGHT}`).join("");

// One tile for each connection, made once and changed in place. All tiles together are one stop of the Tab key.

import { make, setAttribute, setSymbol, setText, symbol } from "./dom.js";
import { count, rate, seconds, several } from "./format.js";

export const ROLES = new Map([
  ["ticker", ["Tickers", "ticker"]],
  ["trade", ["Trades", "trades"]],
  ["market_lifecycle", ["Lifecycle", "lifecycle"]],
  ["orderbook_delta", ["Order books", "order books"]],
]);
const WORDS = { live: "live", loading: "loading books", dialing: "connecting", waiting: "waiting to redial", stopped: "stopped" };
const FRESH = 60;           // seconds a new gap is pointed out

// Live is live; books that are due make it "loading"; between two sockets it waits or dials.
export function condition(connection) {
  if (connection.state === "live") return connection.owed > 0 ? "loading" : "live";
  if (connection.state === "backoff") return "waiting";
  return ["idle", "stopped"].includes(connection.state) ? "stopped" : "dialing";
}

function line(connection, kind) {
  if (kind === "waiting") return connection.dial_in === null ? "waiting" : `redial ${seconds(Math.ceil(connection.dial_in))}`;
  if (kind === "loading") return `${count(connection.owed)} due`;
  if (kind !== "live") return connection.state;
  if (connection.draining) return "draining";
  return connection.role === "orderbook_delta" ? count(connection.held) : `${rate(connection.rate)}/s`;
}

function name(connection, kind) {
  const role = (ROLES.get(connection.role) ?? [connection.role, connection.role])[1];
  const markets = connection.role === "orderbook_delta" ? `, ${several(connection.wanted, "market", "markets")}` : "";
  const gaps = connection.gaps ? `, ${several(connection.gaps, "gap", "gaps")}` : "";
  const draining = connection.draining ? ", being drained" : "";
  return `Connection ${connection.id}, ${role}: ${WORDS[kind]}${draining}${markets}${gaps}`;
}

class Tile {
  constructor(id) {
    this.button = make("button", "tile");
    this.button.type = "button";
    this.button.dataset.id = id;
    this.button.tabIndex = -1;
    this.symbol = symbol("dialing");
    this.age = make("span", "age");
    this.what = make("span", "what");
    this.gaps = make("span", "gaps");
    this.bar = make("span", "bar");
    const id_ = make("span", "id", String(id));
    for (const part of [this.age, this.what, this.gaps, this.bar, id_]) part.setAttribute("aria-hidden", "true");
    this.button.append(this.symbol, id_, this.age, this.what, this.gaps, this.bar);
    this.gapped = -Infinity;
  }

  show(connection, busiest, now) {
    const kind = condition(connection);
    if (this.seen !== undefined && connection.gaps > this.seen) this.gapped = now;
    this.seen = connection.gaps;
    setAttribute(this.button, "data-kind", kind);
    setAttribute(this.button, "aria-label", name(connection, kind));
    this.button.classList.toggle("fresh", now - this.gapped < FRESH);
    setSymbol(this.symbol, kind);
    setText(this.age, connection.age === null ? "" : seconds(Math.floor(connection.age)));
    setText(this.what, line(connection, kind));
    setText(this.gaps, connection.gaps ? `${count(connection.gaps)} gap${connection.gaps === 1 ? "" : "s"}` : "");
    this.bar.style.transform = `scaleX(${busiest ? Math.min(1, connection.rate / busiest).toFixed(3) : 0})`;
    return kind;
  }
}

export class Tiles {
  constructor(root, open) {
    this.root = root;
    this.tiles = new Map();
    this.groups = new Map();
    this.kinds = new Map();
    root.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) open(Number(tile.dataset.id));
    });
    root.addEventListener("focusin", (event) => this.rove(event.target.closest(".tile")));
    root.addEventListener("keydown", (event) => this.key(event));
  }

  // What changed since the last time: [id, before, after].
  show(connections, now) {
    const busiest = new Map();
    for (const each of connections) busiest.set(each.role, Math.max(busiest.get(each.role) ?? 0, each.rate));
    const changed = [];
    for (const each of connections) {
      const kind = this.tile(each).show(each, busiest.get(each.role), now);
      const before = this.kinds.get(each.id);
      if (before !== undefined && before !== kind) changed.push([each.id, before, kind]);
      this.kinds.set(each.id, kind);
    }
    return changed;
  }

  tile({ id, role }) {
    let tile = this.tiles.get(id);
    if (!tile) {
      tile = new Tile(id);
      this.tiles.set(id, tile);
      this.group(role).append(tile.button);
      if (this.tiles.size === 1) tile.button.tabIndex = 0;
    }
    return tile;
  }

  group(role) {
    if (!this.groups.has(role)) {
      const group = make("div", "group");
      group.dataset.role = role;
      const head = make("h3", "", (ROLES.get(role) ?? [role])[0]);
      head.id = `role-${role}`;
      const field = make("div", "tiles");
      field.setAttribute("role", "group");
      field.setAttribute("aria-labelledby", head.id);
      group.append(head, field);
      this.root.append(group);
      this.groups.set(role, field);
    }
    return this.groups.get(role);
  }

  rove(button) {
    if (!button) return;
    for (const { button: other } of this.tiles.values()) if (other.tabIndex === 0) other.tabIndex = -1;
    button.tabIndex = 0;
  }

  key(event) {
    const here = event.target.closest(".tile");
    if (!here || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = [...this.tiles.values()].map((tile) => tile.button);
    const index = all.indexOf(here);
    const next = {
      ArrowRight: () => all[index + 1],
      ArrowLeft: () => all[index - 1],
      ArrowDown: () => vertical(all, here, 1),
      ArrowUp: () => vertical(all, here, -1),
      Home: () => all[0],
      End: () => all.at(-1),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    next()?.focus();
  }
}

// The tile of the next line that is nearest in the column, whatever the width of the window.
function vertical(all, here, direction) {
  const from = here.getBoundingClientRect();
  let best = null;
  for (const other of all) {
    const box = other.getBoundingClientRect();
    const down = (box.top - from.top) * direction;
    if (down < 4) continue;
    const distance = down * 1_000 + Math.abs(box.left - from.left);
    if (!best || distance < best.distance) best = { other, distance };
  }
  return best?.other;
}

export function legend(node, kinds) {
  const counts = { live: 0, loading: 0, dialing: 0, waiting: 0, stopped: 0 };
  for (const kind of kinds) counts[kind] += 1;
  if (!node.children.length) {
    for (const kind of Object.keys(counts)) {
      const entry = make("span");
      entry.dataset.kind = kind;
      entry.append(symbol(kind), make("span"));
      node.append(entry);
    }
  }
  for (const entry of node.children) {
    const number = counts[entry.dataset.kind];
    entry.hidden = number === 0 && entry.dataset.kind !== "live";
    setText(entry.lastElementChild, `${number} ${WORDS[entry.dataset.kind]}`);
  }
}

// Figures and sentences: verdict, cards, registry, capture, events.

import { byId, make, patchFacts, patchList, setAttribute, setSymbol, setText, symbol } from "./dom.js";
import { bytes, clock, count, decimal, moment, rate, seconds, share, short } from "./format.js";
import { Plot, hover } from "./plots.js";

const MAX_EVENTS = 100;

export class Cards {
  constructor(root) {
    const plot = (options) => new Plot(root, { unit: "", ...options });
    this.coverage = plot({ title: "Coverage", column: "missing", unit: " without a book", show: short });
    this.messages = plot({ title: "Messages / s", column: "messages", unit: "/s", show: rate });
    this.megabytes = plot({ title: "MB / s", column: "megabytes", unit: " MB/s", show: decimal });
    this.gaps = plot({ title: "Gaps", column: "gaps", unit: " gaps", bars: true, show: short });
    this.reconnects = plot({ title: "Sockets lost", column: "reconnects", unit: " lost", bars: true, show: short });
    this.backlog = plot({ title: "Backlog", column: "backlog", unit: " waiting", show: short });
    this.all = [this.coverage, this.messages, this.megabytes, this.gaps, this.reconnects, this.backlog];
    hover(this.all);
    this.drawn = null;
  }

  show({ pool, router, sample }, rows, now) {
    const missing = Math.max(0, pool.markets - pool.books);
    this.card(this.coverage, share(pool.books, pool.markets), `${count(pool.books)} of ${count(pool.markets)}`, missing ? "warn" : "");
    this.card(this.messages, sample ? rate(sample.messages) : "–", "");
    this.card(this.megabytes, sample ? decimal(sample.megabytes) : "–", "");
    this.card(this.gaps, count(pool.gaps), "in all", recent(rows, "gaps") ? "warn" : "");
    this.card(this.reconnects, count(pool.reconnects), "in all", recent(rows, "reconnects") ? "warn" : "");
    const losses = router.dropped + router.dropped_markers;
    const dropped = losses ? `${count(losses)} dropped` : "none dropped";
    this.card(this.backlog, count(router.backlog), dropped, losses || router.trouble ? "bad" : "");
    const newest = rows.at(-1)?.at;
    if (newest === this.drawn) return;
    this.drawn = newest;
    for (const plot of this.all) plot.draw(rows, now);
  }

  card(plot, value, note, level = "") {
    setText(plot.value, value);
    setText(plot.note, note);
    setAttribute(plot.card, "data-level", level);
  }
}

// Whether something was counted in the last minute.
const recent = (rows, column) => rows.slice(-30).some((row) => row[column] > 0);

const LEVELS = { ok: "live", busy: "loading", warn: "warn", bad: "waiting" };
const VERDICTS = {
  failing: ["bad", "Failing"],
  degraded: ["warn", "Degraded"],
  starting: ["busy", "Starting"],
  ok: ["ok", "Healthy"],
};

// Drawn here: when gatherer is gone, no file of it can be loaded any more.
function questionMark() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#17202b";
  pen.fillRect(0, 0, 32, 32);
  pen.fillStyle = "#9aa4ae";
  pen.font = "bold 26px sans-serif";
  pen.textAlign = "center";
  pen.fillText("?", 16, 26);
  return canvas.toDataURL();
}

// Without news nothing is known: neither the last verdict nor its colour may stay.
export function unknown(silent) {
  const node = byId("verdict");
  setAttribute(node, "data-level", "none");
  setSymbol(node.firstElementChild, "dialing");
  setText(node.lastElementChild, `No news for ${seconds(silent)}: not known whether gatherer lives`);
  byId("problems").hidden = true;
  if (!byId("icon").href.startsWith("data:")) setAttribute(byId("icon"), "href", questionMark());
  document.title = "not known · gatherer";
}

export function verdict({ health, ready, pool }) {
  const known = VERDICTS[health.status] ?? VERDICTS.degraded;
  const [level, word] = health.status === "ok" && !ready.ok ? ["warn", "Healthy, but not ready"] : known;
  const node = byId("verdict");
  setAttribute(node, "data-level", level);
  setSymbol(node.firstElementChild, LEVELS[level]);
  setText(node.lastElementChild, `${word}, ${pool.live} of ${pool.connections} live`);
  const pause = health.pause ? [`A pause of the exchange: ${health.pause}`] : [];
  const reasons = [...new Set([...health.problems, ...health.warnings, ...pause, ...ready.missing])].slice(0, 10);
  patchList(byId("problems"), reasons.map((text, index) => ({ text, index })), ({ index }) => index, () => make("li"));
  reasons.forEach((text, index) => setText(byId("problems").children[index], text));
  byId("problems").hidden = reasons.length === 0;
  setAttribute(byId("problems"), "data-level", level);
  setAttribute(byId("icon"), "href", level === "bad" ? "/page/icon-bad.svg" : "/page/icon.svg");
  document.title = `${pool.live}/${pool.connections}${level === "ok" ? "" : ` ${word.toLowerCase()}`} · gatherer`;
  return { level, word, reasons };
}

const yes = (value) => (value === null || value === undefined ? "not known" : value ? "yes" : "no");
const level = (wrong, word = "warn") => (wrong ? word : "");
const sum = (counts) => Object.values(counts ?? {}).reduce((left, right) => left + right, 0);
const kinds = (counts) => Object.entries(counts ?? {}).map(([kind, number]) => `${count(number)} ${kind}`).join(", ") || "none";

export function registry(facts, pool, now) {
  patchFacts(byId("registry"), [
    ["Markets known", count(facts.markets_total)],
    ["Markets to carry", count(facts.active_markets)],
    ["Waiting for a place", count(pool.unplaced), level(pool.unplaced)],
    ["On the move", count(pool.moving)],
    ["Markets moved", kinds(pool.moves)],
    ["Held without their book", count(pool.without_book), level(pool.without_book)],
    ["Divergence", count(pool.divergence), level(pool.divergence)],
    ["Commands without a reply", count(pool.pending)],
    ["Exchange runs", yes(facts.exchange_active), level(facts.exchange_active === false)],
    ["Trading is on", yes(facts.trading_active), level(facts.trading_active === false)],
    ["Last walk over all markets", facts.last_sync === null ? "none yet" : `${seconds(Math.floor(Math.max(0, now - facts.last_sync)))} ago`],
    ["It took", seconds(facts.reconcile_duration)],
    ["Lifecycle events", kinds(facts.lifecycle_events)],
    ["REST requests that failed", count(sum(facts.rest_errors)), level(sum(facts.rest_errors))],
  ]);
}

export function capture(facts) {
  const rows = [
    ["Messages written", count(facts.written)],
    ["Waiting for the disk", `${count(facts.backlog)}${facts.buffer_messages ? ` of ${count(facts.buffer_messages)}` : ""}`],
    ["Messages dropped", count(facts.dropped), level(facts.dropped, "bad")],
    ["Markers dropped", count(facts.dropped_markers), level(facts.dropped_markers, "bad")],
    ["Compressed", facts.bytes_written === null ? "–" : bytes(facts.bytes_written)],
    ["Segments", count(facts.segments)],
    ["Segment being written", facts.segment ?? "none"],
    ["Times the disk refused", count(facts.write_errors), level(facts.write_errors)],
  ];
  if (facts.trouble) rows.push(["Trouble", facts.trouble, "bad"]);
  patchFacts(byId("capture"), rows);
}

const SYMBOLS = { info: "info", warn: "warn", error: "waiting", critical: "waiting" };

export function event(entry, tag = "li") {
  const node = make(tag, "event");
  node.dataset.level = entry.level;
  const time = make("time", "", clock(entry.at));
  time.dateTime = new Date(entry.at * 1_000).toISOString();
  time.title = moment(entry.at);
  node.append(symbol(SYMBOLS[entry.level] ?? "info"), make("span", "hidden", `${entry.level}: `), time);
  if (entry.conn_id === null) {
    node.append(make("span", "text", entry.text));
  } else {
    const link = make("a", "text", entry.text);
    link.href = `#connection=${entry.conn_id}`;
    node.append(link);
  }
  return node;
}

export class Events {
  constructor(list) {
    this.list = list;
    this.entries = new Map();
  }

  add(rows) {
    if (!rows.length) return;
    for (const entry of rows) this.entries.set(entry.id, entry);
    const newest = [...this.entries.values()].sort((left, right) => right.id - left.id).slice(0, MAX_EVENTS);
    this.entries = new Map(newest.map((entry) => [entry.id, entry]));
    patchList(this.list, newest, (entry) => entry.id, event);
  }

  // Another run of the gatherer counts from 1 again.
  clear() {
    this.entries.clear();
  }
}


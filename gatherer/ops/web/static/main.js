// Puts the parts of the page together: events of the stream come in, and each part changes what it shows.

import { byId, setAttribute, setText } from "./dom.js";
import { seconds, several } from "./format.js";
import { Cards, Events, capture, registry, unknown, verdict } from "./panels.js";
import { Details } from "./explain.js";
import { Stream } from "./stream.js";
import { Tiles, legend } from "./tiles.js";

const MAX_SAMPLES = 300;
const UNKNOWN_AFTER = 5;   // seconds without a tick after which the last verdict says nothing about now
const MAX_SAID = 3;        // connections that are named one by one to a screen reader

const named = (columns, row) => Object.fromEntries(columns.map((column, index) => [column, row[index]]));

class Page {
  constructor() {
    this.details = new Details();
    this.cards = new Cards(byId("cards"));
    this.tiles = new Tiles(byId("groups"), (id) => Details.connection(id));
    this.events = new Events(byId("events"));
    this.samples = [];
    this.sampleColumns = [];
    this.eventColumns = [];
    this.level = null;
    this.stream = new Stream({
      history: (value) => this.history(value),
      events: (value) => this.recall(value),
      tick: (value) => this.tick(value),
      age: (silent, stale, any) => this.age(silent, stale, any),
    });
  }

  history({ columns, rows }) {
    this.sampleColumns = columns;
    this.samples = rows.map((row) => named(columns, row));
  }

  recall({ columns, rows }) {
    this.eventColumns = columns;
    this.events.clear();
    this.events.add(rows.map((row) => named(columns, row)));
  }

  tick(value) {
    const sample = value.sample && named(this.sampleColumns, value.sample);
    if (sample && sample.at > (this.samples.at(-1)?.at ?? 0)) {
      this.samples.push(sample);
      this.samples.splice(0, this.samples.length - MAX_SAMPLES);
    }
    const draining = new Set(value.pool.draining);
    const connections = value.connections.map((row) => named(value.columns, row));
    for (const each of connections) each.draining = draining.has(each.id);
    const changed = this.tiles.show(connections, value.at);
    const { level, word, reasons } = verdict(value);
    legend(byId("legend"), this.tiles.kinds.values());
    this.cards.show({ ...value, sample }, this.samples, value.at);
    registry(value.registry, value.pool, value.at);
    capture(value.router);
    this.events.add(value.events.map((row) => named(this.eventColumns, row)));
    setText(byId("version"), value.version);
    this.say(changed, level, word, reasons);
    setAttribute(document.body, "data-ready", "true");
  }

  // Only what changed, and only that it changed: a figure every second would be too much to listen to.
  say(changed, level, word, reasons) {
    const sentences = [];
    if (this.level !== null && this.level !== level) {
      sentences.push([word, ...reasons].join(". "));
    }
    this.level = level;
    const lost = changed.filter(([, before, after]) => up(before) && !up(after)).map(([id]) => id);
    const back = changed.filter(([, before, after]) => !up(before) && up(after)).map(([id]) => id);
    for (const [ids, what] of [[lost, "lost"], [back, "live again"]]) {
      if (ids.length > MAX_SAID) sentences.push(`${several(ids.length, "connection", "connections")} ${what}.`);
      else if (ids.length) sentences.push(`Connection ${ids.join(", ")} ${what}.`);
    }
    if (sentences.length) setText(byId("said"), sentences.join(" "));
  }

  age(silent, stale, any) {
    const node = byId("news");
    if (stale && !this.stale && any) setText(byId("said"), "No news from the gatherer.");
    if (!stale && this.stale && any) setText(byId("said"), "News from the gatherer.");
    this.stale = stale;
    setAttribute(node, "data-stale", String(stale));
    setAttribute(document.body, "data-stale", String(stale));
    if (any && silent > UNKNOWN_AFTER) unknown(Math.floor(silent));
    setText(node, any ? (stale ? `no news for ${seconds(Math.floor(silent))}` : "up to date") : "no news yet");
  }
}

const up = (kind) => kind === "live" || kind === "loading";

function searching() {
  const field = byId("ticker");
  byId("search").addEventListener("submit", (submit) => {
    submit.preventDefault();
    const ticker = field.value.trim();
    if (ticker) Details.market(ticker);
  });
  document.addEventListener("keydown", (press) => {
    const typing = press.target.closest("input, dialog");
    if (press.key === "/" && !typing && !press.ctrlKey && !press.metaKey && !press.altKey) {
      press.preventDefault();
      field.focus();
      field.select();
    }
  });
}

searching();
new Page();

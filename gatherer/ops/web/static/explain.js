// The details of one market or one connection, in a dialog that has an address of its own.

import { byId, make, patchFacts, patchList, setAttribute, setText } from "./dom.js";
import { bytes, count, decimal, seconds } from "./format.js";
import { event } from "./panels.js";
import { ROLES, condition } from "./tiles.js";

const AGAIN = 2_000;        // milliseconds between two looks while it is open

export class Details {
  constructor() {
    this.dialog = byId("details");
    this.body = byId("details-body");
    this.asked = null;
    byId("details-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (click) => {
      if (click.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.closed());
    window.addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  static market(ticker) {
    location.hash = `market=${encodeURIComponent(ticker)}`;
  }

  static connection(id) {
    location.hash = `connection=${id}`;
  }

  follow() {
    const [kind, value] = location.hash.slice(1).split("=");
    let name = "";
    try {
      name = decodeURIComponent(value ?? "");
    } catch {
      name = value;
    }
    if (!name || !["market", "connection"].includes(kind)) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    this.asked = { kind, name };
    this.body.replaceChildren();
    setText(byId("details-title"), kind === "market" ? name.toUpperCase() : `Connection ${name}`);
    setText(byId("details-verdict"), "…");
    setAttribute(byId("details-verdict"), "data-level", "");
    if (!this.dialog.open) this.dialog.showModal();
    byId("details-title").focus();
    this.look();
  }

  closed() {
    this.asked = null;
    clearTimeout(this.timer);
    if (location.hash) history.replaceState(null, "", location.pathname);
  }

  async look() {
    clearTimeout(this.timer);
    const asked = this.asked;
    const path = asked.kind === "market" ? "/explain?ticker=" : "/connection?id=";
    try {
      const answer = await fetch(path + encodeURIComponent(asked.name), { signal: AbortSignal.timeout(10_000) });
      const value = await answer.json();
      if (this.asked !== asked) return;
      if (!answer.ok) this.say(value.error ?? `the gatherer answers ${answer.status}`, "warn");
      else if (asked.kind === "market") this.market(value);
      else this.connection(value);
    } catch {
      if (this.asked !== asked) return;
      this.say("The gatherer does not answer; what is below is old.", "warn");
    }
    this.timer = setTimeout(() => this.look(), AGAIN);
  }

  say(text, level = "") {
    setText(byId("details-verdict"), text);
    setAttribute(byId("details-verdict"), "data-level", level);
  }

  part(name, tag, title, className = "") {
    let part = this.body.querySelector(`[data-part="${name}"]`);
    if (!part) {
      part = make(tag, className);
      part.dataset.part = name;
      if (title) this.body.append(make("h3", "", title));
      this.body.append(part);
    }
    return part;
  }

  market({ verdict, story, explained }) {
    const list = this.part("lines", "ul", "", "lines");
    const lines = story.map((text, index) => ({ text, index }));
    patchList(list, lines, (line) => line.index, () => make("li"));
    lines.forEach(({ text }, index) => {
      setText(list.children[index], text.trim());
      list.children[index].classList.toggle("deeper", text.startsWith(" "));
    });
    this.say(verdict);
    const id = explained.connection?.conn_id;
    if (id === undefined) return;
    const link = this.part("where", "a", "", "more");
    link.href = `#connection=${id}`;
    setText(link, `Connection ${id}, which carries it`);
  }

  connection({ status, last_error, markets, markets_total, event_columns, events }) {
    const [role] = ROLES.get(status.role) ?? [status.role];
    this.say(sentence(status), { live: "", loading: "", waiting: "bad", stopped: "warn" }[condition(status)] ?? "warn");
    const now = Date.now() / 1_000;
    const ago = (at) => (at === null ? "never" : `${seconds(Math.floor(Math.max(0, now - at)))} ago`);
    patchFacts(this.part("facts", "dl", "", "facts"), [
      ["Role", role],
      ["State", status.draining ? `${status.state}, being drained` : status.state],
      ["Markets wanted, held, due", `${count(status.wanted)}, ${count(status.held)}, ${count(status.owed)}`],
      ["Commands without a reply", count(status.pending)],
      ["Messages, bytes", `${count(status.received)}, ${bytes(status.bytes_received)}`],
      ["Last message", ago(status.last_message)],
      ["Last ping", ago(status.last_ping)],
      ["Gaps, messages missing", `${count(status.gaps)}, ${count(status.skipped)}`, status.gaps ? "warn" : ""],
      ["Last recovery took", status.recoveries ? `${decimal(status.last_recovery)} s` : "none needed"],
      ["Sockets lost", count(status.reconnects)],
      ["Why the last one was", last_error ?? "none was"],
    ]);
    this.events(events.map((row) => Object.fromEntries(event_columns.map((column, index) => [column, row[index]]))));
    if (!markets.length) return;
    const list = this.part("markets", "ul", "Markets", "markets");
    patchList(list, markets, (ticker) => ticker, (ticker) => {
      const entry = make("li");
      const link = make("a", "", ticker);
      link.href = `#market=${encodeURIComponent(ticker)}`;
      entry.append(link);
      return entry;
    });
    const left = markets_total - markets.length;
    setText(this.part("rest", "p", ""), left ? `and ${count(left)} more` : "");
  }

  events(entries) {
    const list = this.part("events", "ol", "Events", "events");
    const empty = this.part("quiet", "p", "");
    setText(empty, entries.length ? "" : "None that is remembered.");
    patchList(list, entries.reverse(), (entry) => entry.id, (entry) => event({ ...entry, conn_id: null }));
  }
}

function sentence(status) {
  const kind = condition(status);
  if (kind === "live") return "Live.";
  if (kind === "loading") return `Live; ${count(status.owed)} books are due.`;
  if (kind === "waiting" && status.next_dial_in !== null) return `Lost; the next dial is in ${seconds(Math.ceil(status.next_dial_in))}.`;
  return `${status.state[0].toUpperCase()}${status.state.slice(1)}.`;
}


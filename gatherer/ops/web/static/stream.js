// The stream of /live: reconnects by itself, and knows how old the figures are.

const STALE_AFTER = 3;      // seconds without a tick before the page says so
const DEAD_AFTER = 12;      // seconds without a tick before the connection is replaced, even if the browser calls it open
const AGAIN_AFTER = 3;      // seconds before a new try if the browser does not try by itself

export class Stream {
  constructor(handlers) {
    this.handlers = handlers;
    this.heard = performance.now();
    this.any = false;
    this.stale = true;
    setInterval(() => this.look(), 500);
    this.open();
  }

  open() {
    this.opened = performance.now();
    this.source?.close();
    this.source = new EventSource("/live");
    for (const name of ["history", "events", "tick"]) {
      this.source.addEventListener(name, (message) => this.take(name, JSON.parse(message.data)));
    }
  }

  take(name, value) {
    if (name === "tick") {
      this.heard = performance.now();
      this.any = true;
    }
    this.handlers[name](value);
    if (name === "tick") this.look();
  }

  // A tab in the background gets few timers, so ages are always counted from the clock.
  look() {
    const now = performance.now();
    const silent = (now - this.heard) / 1_000;
    const tried = (now - this.opened) / 1_000;
    const closed = this.source.readyState === EventSource.CLOSED;
    if ((closed && tried > AGAIN_AFTER) || (silent > DEAD_AFTER && tried > DEAD_AFTER)) this.open();
    this.stale = !this.any || silent > STALE_AFTER;
    this.handlers.age(silent, this.stale, this.any);
  }
}

// The hub's WebSocket protocol (docs/protocol.md) for browsers, without dependencies.
//
//   const client = new ParaNetClient();
//   client.addEventListener("state", ({ detail }) => ...);   // {state, retryAt, reason}
//   client.subscribe("topology", { onSnapshot(data) {}, onEvents(items) {} });
//   client.connect();
//
// One socket carries all subscriptions. After a loss it comes back by itself and resumes each channel at its last position;
// where the hub cannot replay from there, a snapshot arrives instead. Who is signed in is the session cookie's matter.

const BACKOFF = { first: 500, most: 30_000 }; // ms
const STEADY = 10_000; // ms a connection has to live before the next loss starts at the first back-off again
const WELCOME_WITHIN = 8_000; // ms; without a cookie the hub waits for `hello`, which a page cannot send
const CLOSE = { TOKEN_EXPIRED: 4001, BAD_TOKEN: 4500 };

export const State = Object.freeze({
  CONNECTING: "connecting",
  LIVE: "live",
  LOST: "lost",
  SIGNED_OUT: "signed-out",
  CLOSED: "closed",
});

class SignedOut extends Error {}
class Unavailable extends Error {}

/** The session behind the cookies: is it good, make it new, end it. */
export class Session {
  constructor(base = "/api/v1/auth") {
    this.base = base;
  }

  /** Whether the access cookie is good. Throws Unavailable when the hub does not say. */
  async good() {
    const response = await this.#fetch("me", "GET");
    if (response.ok) return true;
    if (response.status === 401) return false;
    throw new Unavailable(`HTTP ${response.status}`);
  }

  /**
   * Trade the refresh cookie for new cookies; returns the new access token, or null when another tab was faster
   * (a refresh token is good once). Throws SignedOut or Unavailable.
   */
  async renew() {
    const response = await this.#fetch("refresh", "POST");
    if (response.ok) return (await response.json()).access_token;
    if (response.status !== 401) throw new Unavailable(`HTTP ${response.status}`);
    if (await this.good()) return null;
    throw new SignedOut();
  }

  /** End the session at the hub; an access token that has just expired is renewed to do so. */
  async end() {
    const response = await this.#fetch("logout", "POST");
    if (response.status !== 401) return;
    await this.renew();
    await this.#fetch("logout", "POST");
  }

  async #fetch(what, method) {
    try {
      // a page that is left meanwhile would have spent its refresh token without getting the next one
      return await fetch(`${this.base}/${what}`, { method, credentials: "same-origin", cache: "no-store", keepalive: true });
    } catch (error) {
      throw new Unavailable(error.message);
    }
  }
}

export class ParaNetClient extends EventTarget {
  #url;
  #session;
  #socket = null;
  #state = State.CLOSED;
  #subscriptions = new Map(); // channel -> {filter, onSnapshot, onEvents, position, parts, asked}
  #asked = new Map(); // request id -> channel
  #questions = new Map(); // request id -> {resolve, reject}
  #nextId = 1;
  #attempt = 0;
  #welcomedAt = null;
  #expires = Infinity; // UNIX ms
  #ping = 20_000; // ms
  #retryAfter = null; // ms, as the hub wished
  #timers = new Map();

  constructor({ url = socketUrl("/ws"), session = new Session() } = {}) {
    super();
    this.#url = url;
    this.#session = session;
  }

  get state() {
    return this.#state;
  }

  connect() {
    if (this.#state !== State.CLOSED) return;
    addEventListener("online", this.retryNow);
    document.addEventListener("visibilitychange", this.#seen);
    this.#become(State.CONNECTING);
    this.#open();
  }

  close() {
    this.#end(State.CLOSED);
  }

  /** Try at once instead of waiting for the back-off. */
  retryNow = () => {
    if (this.#timers.has("retry")) this.#open();
  };

  /**
   * Subscribe now and after every reconnect; returns a function that ends it. `filter` is {nodes: [...], metrics: [...], interval: "1s"}.
   * `onReset` is told when what came before no longer connects with what follows: everything comes again. `onLag` is told how many
   * items were spared us because we were behind.
   */
  subscribe(channel, { filter = {}, onSnapshot = () => {}, onEvents = () => {}, onReset = () => {}, onLag = () => {} } = {}) {
    const subscription = { filter, onSnapshot, onEvents, onReset, onLag, position: null, parts: [], asked: null };
    this.#subscriptions.set(channel, subscription);
    if (this.#state === State.LIVE) this.#ask(channel);
    return () => {
      if (this.#subscriptions.get(channel) !== subscription) return; // it belongs to somebody else by now
      this.#subscriptions.delete(channel);
      if (this.#state === State.LIVE) this.#send({ type: "unsub", id: this.#nextId++, ch: channel });
    };
  }

  /**
   * Do what a REST operation does; resolves to {status, body, etag, location}. Rejects with the problem as an Error with its members, and
   * when the connection is lost before the answer: then nobody knows whether it was done.
   */
  ask(method, params = {}) {
    return new Promise((resolve, reject) => {
      if (this.#state !== State.LIVE) return reject(new Unavailable("not connected"));
      const id = this.#nextId++;
      this.#questions.set(id, { resolve, reject });
      this.#send({ type: "ask", id, method, params });
    });
  }

  // ---- one connection

  async #open() {
    this.#clear("retry");
    if (Date.now() > this.#expires - 5_000 && !(await this.#restore(() => this.#session.renew()))) return;
    if (this.#over) return;
    this.#drop();
    if (this.#state === State.LIVE) this.#become(State.CONNECTING); // by a new socket
    const socket = new WebSocket(this.#url, "paranet.v1.json");
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#after("watch", WELCOME_WITHIN, () => this.#closed(1006, "no welcome"));
  }

  /** Whether the end came while something was awaited. */
  get #over() {
    return this.#state === State.SIGNED_OUT || this.#state === State.CLOSED;
  }

  /** Do something to the session; false when the session has ended or the hub is away, which is then taken care of. */
  async #restore(action) {
    try {
      await action();
      this.#expires = Infinity; // until the next welcome says
      return true;
    } catch (error) {
      if (this.#over) return false;
      if (error instanceof SignedOut) this.#end(State.SIGNED_OUT);
      else this.#wait();
      return false;
    }
  }

  /** Let go of the socket, and of what was asked over it. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#asked.clear();
    for (const { reject } of this.#questions.values()) reject(new Unavailable("the connection was lost"));
    this.#questions.clear();
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  async #closed(code, reason) {
    const welcomed = this.#welcomedAt !== null;
    if (welcomed && Date.now() - this.#welcomedAt > STEADY) this.#attempt = 0;
    this.#welcomedAt = null;
    this.#drop();
    for (const name of ["watch", "renew"]) this.#clear(name);
    if (code > CLOSE.BAD_TOKEN && code < 5000) return this.#end(State.CLOSED, reason);
    if (code === CLOSE.BAD_TOKEN && welcomed) return this.#end(State.SIGNED_OUT);
    if (code === CLOSE.TOKEN_EXPIRED) {
      this.#become(State.CONNECTING);
      if (await this.#restore(() => this.#session.renew())) this.#open();
      return;
    }
    this.#become(State.LOST);
    if (!welcomed) {
      // refused at the door (browsers do not say why) or nobody there: an expired session is the one cause we can mend
      const mended = await this.#restore(async () => (await this.#session.good()) || (await this.#session.renew()));
      if (!mended) return;
    }
    this.#wait();
  }

  #wait() {
    if (this.#over) return;
    const longest = Math.min(BACKOFF.most, BACKOFF.first * 2 ** this.#attempt++);
    const delay = this.#retryAfter ?? longest * (0.5 + Math.random() / 2);
    this.#retryAfter = null;
    this.#after("retry", delay, () => this.#open());
    this.#become(State.LOST, { retryAt: Date.now() + delay });
  }

  #end(state, reason = "") {
    removeEventListener("online", this.retryNow);
    document.removeEventListener("visibilitychange", this.#seen);
    for (const name of [...this.#timers.keys()]) this.#clear(name);
    this.#drop();
    this.#become(state, { reason });
  }

  #seen = () => {
    if (document.visibilityState === "visible") this.retryNow();
  };

  // ---- frames

  #receive(frame) {
    this.#after("watch", 2 * this.#ping + 5_000, () => this.#closed(1006, "silence"));
    const take = {
      welcome: () => this.#welcome(frame),
      ok: () => this.#taken(frame),
      snapshot: () => this.#snapshot(frame),
      events: () => this.#events(frame),
      lag: () => this.#served(frame.ch)?.onLag(frame.conflated),
      resync: () => this.#served(frame.ch)?.onReset(frame.reason),
      error: () => this.#error(frame),
      ping: () => this.#send({ type: "pong" }),
      expiring: () => this.#renewSoon(frame.in * 1000),
      bye: () => (this.#retryAfter = frame.retry_ms ?? this.#retryAfter),
    }[frame.type];
    take?.(); // a frame of a newer hub that we do not know is none of our business
  }

  #welcome({ ping, expires }) {
    this.#welcomedAt = Date.now();
    this.#ping = ping * 1000;
    this.#expires = expires * 1000;
    this.#become(State.LIVE);
    for (const channel of this.#subscriptions.keys()) this.#ask(channel);
  }

  #ask(channel) {
    const subscription = this.#subscriptions.get(channel);
    const { filter, position } = subscription;
    const id = (subscription.asked = this.#nextId++);
    this.#asked.set(id, channel);
    this.#send({ type: "sub", id, ch: channel, filter, ...(position && { since: `${position.epoch}:${position.offset}` }) });
  }

  /** Who a channel's frames are for: until the hub's `ok` they belong to a subscription before this one. */
  #served(channel) {
    const subscription = this.#subscriptions.get(channel);
    return subscription?.asked === null ? subscription : undefined;
  }

  #taken({ id, ch, expires, recovered, ...answer }) {
    if (expires) this.#expires = expires * 1000;
    this.#asked.delete(id);
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    question?.resolve(answer);
    const subscription = this.#subscriptions.get(ch);
    if (!subscription || subscription.asked !== id) return;
    subscription.asked = null;
    if (recovered === false && subscription.position) subscription.onReset("lost"); // it was asked to go on and cannot
  }

  /** Comes in answer to `sub`, or unasked behind `resync` when the hub has lost the thread. */
  #snapshot({ ch, epoch, offset, part, last, data }) {
    const subscription = this.#served(ch);
    if (!subscription) return;
    if (part === 0) subscription.parts = [];
    subscription.parts.push(data);
    if (!last) return;
    const parts = subscription.parts;
    subscription.parts = [];
    subscription.position = { epoch, offset };
    subscription.onSnapshot(Array.isArray(data) ? parts.flat() : data);
  }

  #events({ ch, epoch, to, items }) {
    const subscription = this.#served(ch);
    if (!subscription) return;
    subscription.position = { epoch, offset: to };
    subscription.onEvents(items);
  }

  /** Of a question, of a subscription (asked for, or one that the hub has ended: *ch*), or else of the connection. */
  #error({ id, ch, error }) {
    if (id === null && !ch) this.#retryAfter = error.retry_ms ?? this.#retryAfter;
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    if (question) return question.reject(Object.assign(new Error(error.detail), error));
    const channel = ch ?? this.#asked.get(id);
    this.#asked.delete(id);
    this.dispatchEvent(new CustomEvent("problem", { detail: { channel, ...error } }));
    if (channel && error.retryable) this.#after(`ask ${channel}`, error.retry_ms ?? 5_000, () => this.#askAgain(channel));
  }

  #askAgain(channel) {
    if (this.#state === State.LIVE && this.#subscriptions.has(channel)) this.#ask(channel);
  }

  /** Renew within the time left: spread out, because a hub that restarts lets many tokens of one age in at once. */
  #renewSoon(left) {
    this.#after("renew", left > 45_000 ? Math.random() * 15_000 : left / 2, () => this.#renew());
  }

  async #renew() {
    const socket = this.#socket;
    try {
      const token = await this.#session.renew();
      if (socket !== this.#socket) return;
      if (token) this.#send({ type: "auth", id: this.#nextId++, token });
      else this.#open(); // another tab holds the token; the new cookie lets a new socket in
    } catch (error) {
      if (socket !== this.#socket) return;
      if (error instanceof SignedOut) this.#end(State.SIGNED_OUT);
      else this.#after("renew", 5_000, () => this.#renew());
    }
  }

  // ---- small change

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #become(state, detail = {}) {
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, retryAt: null, reason: "", ...detail } }));
  }

  #after(name, delay, action) {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        action();
      }, delay),
    );
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

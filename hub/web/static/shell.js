// What all pages have around them (templates/_header.html): the connection's state, theme, language, signing out.

import { clock } from "./format.js";
import { coded } from "./hub-words.js";
import { offerLanguages, t } from "./i18n.js";
import { Session, State } from "./paranet-client.js";
import { forget } from "./remember.js";

const PATIENCE = 1_500; // ms a reconnect may take before the banner says so
const WORDS = { [State.CONNECTING]: t("Connecting"), [State.LIVE]: t("Live"), [State.LOST]: t("Offline"), [State.CLOSED]: t("Closed") };
export const THEMES = {
  auto: { sign: "◐", text: t("as the system"), told: t("Theme: as the system") },
  light: { sign: "☀", text: t("light"), told: t("Theme: light") },
  dark: { sign: "☾", text: t("dark"), told: t("Theme: dark") },
};

const place = (id) => document.getElementById(id);

export class Shell {
  #title = document.title;
  #connection = { state: State.CONNECTING, lostAt: null, reason: "" };
  #welcomes = 0;
  #liveUntil = null; // UNIX ms; what came over the socket is true up to then

  /** *newest* tells of when the page's data is (UNIX ms); *onState* hears of every change of the connection; *draw* shall call `show`. */
  constructor(client, { newest = () => null, onState = () => {}, draw = () => this.show() } = {}) {
    Object.assign(this, { client, newest, onState, draw });
    client.addEventListener("state", ({ detail }) => this.#became(detail));
    client.addEventListener("problem", ({ detail }) => this.#refused(detail));
    place("retry").addEventListener("click", client.retryNow);
    place("sign-out").addEventListener("click", () => this.#leave());
    offerLanguages();
    place("theme").addEventListener("click", turn);
    showTheme();
  }

  /** 0 while away, else which connection it is: what depends on it begins anew with each, also when no frame was drawn between two. */
  get live() {
    return this.#connection.state === State.LIVE ? this.#welcomes : 0;
  }

  /** The user's role: viewer, operator, admin. */
  get role() {
    return place("role").dataset.role;
  }

  get operates() {
    return this.role !== "viewer";
  }

  show() {
    const { state, lostAt, reason } = this.#connection;
    const [live, banner, newest] = [place("live"), place("banner"), this.newest()];
    const text = state === State.LIVE && newest ? t("Live {time}", { time: clock(newest) }) : (WORDS[state] ?? "");
    live.dataset.state = state;
    if (live.lastElementChild.textContent !== text) live.lastElementChild.textContent = text;
    const down = state === State.CLOSED || (lostAt !== null && performance.now() - lostAt > PATIENCE);
    document.body.classList.toggle("stale", down);
    const title = down ? `${t("Connection lost")} – ParaNet Hub` : this.#title;
    if (document.title !== title) document.title = title;
    const told = !down ? "" : state === State.CLOSED ? ended(reason) : lost(newest ?? this.#liveUntil);
    if (banner.firstElementChild.textContent !== told) banner.firstElementChild.textContent = told;
    banner.hidden = !down;
  }

  /** What a page waits for before it shows anything may be what is refused. */
  #refused({ channel, code, detail }) {
    console.warn(`${channel ?? "hub"}: ${code}: ${detail}`);
    const starting = place("starting");
    if (starting) starting.textContent = coded({ code, message: detail });
  }

  #became({ state, reason }) {
    if (state === State.SIGNED_OUT) {
      location.assign("/login");
      return;
    }
    const away = state !== State.LIVE;
    if (away && this.live) this.#liveUntil = Date.now();
    else if (!away) this.#welcomes += 1;
    if (away && this.#connection.lostAt === null) setTimeout(() => this.show(), PATIENCE + 50);
    Object.assign(this.#connection, { state, reason, lostAt: away ? (this.#connection.lostAt ?? performance.now()) : null });
    this.onState(state);
    this.show(); // in a tab that nobody looks at nothing is drawn, and its title is all that can be seen
    this.draw();
  }

  async #leave() {
    this.client.close();
    forget();
    await new Session().end().catch(() => {}); // whoever cannot reach the hub is signed out of this browser at least
    location.assign("/login");
  }
}

const ended = (reason) => t("The hub ended the connection ({reason}). Reload the page to start again.", { reason: reason || t("no reason given") });

function lost(newest) {
  if (!newest) return t("Connection lost, no data yet. Trying to reconnect.");
  return t("Connection lost, data from {time}. Trying to reconnect.", { time: clock(newest) });
}

// ---- theme

export const chosenTheme = () => document.documentElement.dataset.theme ?? "auto";

/** Wear a theme, now and on pages to come. */
export function wear(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("paranet-theme", theme === "auto" ? "" : theme);
  } catch (error) {
    console.info(`the theme is not remembered: ${error.message}`);
  }
  showTheme();
}

function turn() {
  const names = Object.keys(THEMES);
  wear(names[(names.indexOf(chosenTheme()) + 1) % names.length]);
}

function showTheme() {
  const { sign, told } = THEMES[chosenTheme()] ?? THEMES.auto;
  const button = place("theme");
  button.textContent = sign;
  button.title = told;
  button.setAttribute("aria-label", told);
}

// The tree of actors: what is known of them, and the rows that show it.

import { Component, html } from "htm/preact";
import { milliseconds, NONE } from "./format.js";
import { t } from "./i18n.js";

const FOLDED = new Set(["chat", "device", "ws"]); // parents of one child per conversation, device or client
const MANY = 40; // children from which on any parent starts folded
const DEEPEST = 4; // levels that are indented

/** Summaries of channel `actors`, keyed by path. */
export class Actors {
  #all = new Map();
  #folds = new Map(); // path -> open, as somebody wished

  known = false;

  replace(items) {
    this.#all = new Map(items.map((item) => [item.path, item]));
    this.known = true;
  }

  change(items) {
    for (const item of items) {
      if (item.gone) this.#all.delete(item.path);
      else this.#all.set(item.path, item);
    }
  }

  get(path) {
    return this.#all.get(path);
  }

  totals() {
    const all = [...this.#all.values()];
    const sum = (name) => all.reduce((total, item) => total + item[name], 0);
    return { actors: all.length, rate: sum("rate"), queued: sum("queued"), restarts: sum("restarts"), troubled: all.filter(isTroubled).length };
  }

  fold(path, open) {
    this.#folds.set(path, open);
  }

  /** The rows to be seen, parents before children; with a filter those that match and what they are under. */
  rows(filter) {
    const children = new Map();
    for (const item of this.#all.values()) {
      const parent = this.#all.has(item.parent) ? item.parent : null;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(item);
    }
    const rows = [];
    const walk = (parent, level) => {
      const found = (children.get(parent) ?? []).sort((a, b) => (a.path < b.path ? -1 : 1));
      let any = false;
      for (const item of found) {
        const under = children.get(item.path) ?? [];
        const open = filter !== "" || this.#open(item.path, under.length);
        const at = rows.length;
        rows.push({ item, level, count: under.length, open, troubled: open ? 0 : under.filter(isTroubled).length });
        const inside = open && under.length > 0 && walk(item.path, level + 1);
        const here = inside || item.path.toLowerCase().includes(filter);
        if (!here) rows.length = at;
        any ||= here;
      }
      return any;
    };
    walk(null, 1);
    return rows;
  }

  #open(path, count) {
    return this.#folds.get(path) ?? !(FOLDED.has(path) || count > MANY);
  }
}

const isTroubled = ({ status, stuck }) => stuck || status !== "running";

const TONES = { running: "good", starting: "warn", suspended: "warn", draining: "warn", stopping: "warn" };
const WORDS = {
  starting: t("starting"),
  running: t("running"),
  suspended: t("suspended"),
  backoff: t("waits to start again"),
  halted: t("halted"),
  draining: t("draining"),
  stopping: t("stopping"),
  stopped: t("stopped"),
};

export function Status({ status }) {
  return html`<span class="chip status ${TONES[status] ?? "bad"}">${WORDS[status] ?? status}</span>`;
}

export function TreeGrid({ rows, cursor, selected, filter, onFilter, ...hands }) {
  return html`
    <div class="tools">
      <h2>${t("Actors")}</h2>
      <input type="search" placeholder=${t("Filter by path")} aria-label=${t("Filter by path")} autocomplete="off" spellcheck=${false}
        value=${filter} onInput=${(event) => onFilter(event.currentTarget.value)} />
    </div>
    <div class="grid" role="treegrid" aria-label=${t("Actors")} ...${hands}>
      <div class="row head" role="row">
        ${[t("Actor"), t("Mailbox"), t("Rate"), "p95", t("Restarts"), t("State")].map((text) => html`<span role="columnheader" key=${text}>${text}</span>`)}
      </div>
      ${rows.map((row) => html`<${Row} key=${row.item.path} ...${row} tabbable=${row.item.path === cursor} selected=${row.item.path === selected} />`)}
    </div>
    ${rows.length === 0 && html`<p class="loading">${t("No actor's path has “{text}” in it.", { text: filter })}</p>`}`;
}

/** Drawn anew only when something in it has changed: there may be a thousand. */
class Row extends Component {
  shouldComponentUpdate(next) {
    return Object.keys(next).some((name) => next[name] !== this.props[name]);
  }

  render({ item, level, count, open, troubled, tabbable, selected }) {
    const name = level > 1 && item.path.startsWith(`${item.parent}/`) ? item.path.slice(item.parent.length + 1) : item.path;
    return html`
      <div class="row level-${Math.min(level, DEEPEST)}" role="row" tabindex=${tabbable ? 0 : -1} aria-level=${level} aria-selected=${selected}
        aria-expanded=${count ? String(open) : undefined}
        data-path=${item.path} data-restarts=${item.restarts} data-status=${item.status} data-stuck=${item.stuck}>
        <span class="name" role="gridcell" title="${item.path}, ${item.type}">
          <span class="fold" data-fold=${count ? "yes" : undefined} aria-hidden="true">${count ? (open ? "▾" : "▸") : ""}</span>
          <span class="text">${name}</span>
          ${count > 0 && html`<span class="chip count" title=${t("children")}>${count}</span>`}
          ${troubled > 0 && html`<span class="chip bad">${t("{count} in trouble", { count: troubled })}</span>`}
          ${item.stuck && html`<span class="chip bad" title=${t("handles {message} for too long", { message: item.current ?? t("a message") })}>${t("stuck")}</span>`}
          ${item.tracing && html`<span class="chip trace">${t("trace")}</span>`}
        </span>
        <span class="mail" role="gridcell"><${Mailbox} ...${item} /></span>
        <span class="rate" role="gridcell">${item.rate >= 0.05 ? `${item.rate.toFixed(1)} /s` : NONE}</span>
        <span class="p95" role="gridcell">${item.handle_p95 > 0 ? milliseconds(item.handle_p95) : NONE}</span>
        <span class=${item.restarts ? "restarts some" : "restarts"} data-word=" ${t("restarts")}" role="gridcell">${item.restarts}</span>
        <span class="state" role="gridcell"><${Status} status=${item.status} /></span>
      </div>`;
  }
}

function Mailbox({ queued, capacity }) {
  const share = capacity ? Math.min(1, queued / capacity) : 0;
  const load = share >= 0.8 ? 4 : share >= 0.5 ? 3 : 1;
  return html`
    <svg class="bar load-${load}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="4" /><rect class="fill" width=${(100 * share).toFixed(1)} height="4" />
    </svg>
    <span class="level">${queued}<small>/${capacity}</small></span>`;
}

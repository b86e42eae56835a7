// The operators' page: the tree comes over the socket; the actor looked at, lag and records are asked for while the page is seen.

import { html, render } from "htm/preact";
import { milliseconds } from "./format.js";
import { onceAFrame } from "./frames.js";
import { coded } from "./hub-words.js";
import { t } from "./i18n.js";
import { ActorPanel, LoopPanel, Records } from "./operators-panel.js";
import { Actors, TreeGrid } from "./operators-tree.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Rest } from "./rest.js";
import { Shell } from "./shell.js";

const EVERY = { actor: 1_000, records: 2_000, lag: 5_000 }; // ms

const place = (name) => document.getElementById(name);
const [tree, panel, totals, records] = ["tree", "panel", "totals", "records"].map(place);
const actors = new Actors();
const session = new Session();
const client = new ParaNetClient({ session });
const rest = new Rest(session, "/api/v1/system");
const draw = onceAFrame(paint);
const shell = new Shell(client, { newest: () => newest, onState: () => shell.live && askAll(), draw });
const view = { selected: null, cursor: null, filter: "", tab: "audit", detail: null, note: null, replayed: null };
let newest = null; // UNIX ms at which the tree last changed
const facts = { lag: null, blocks: null, health: null, audit: null, letters: null, waits: null, clients: null };

// ---- asking the hub

const actorPath = (path) => `/actors/${path.split("/").map(encodeURIComponent).join("/")}`;

/** Ask now and then again, one at a time, while the page is seen and the hub is there. */
function poll(wait, action) {
  const round = async () => {
    clearTimeout(round.timer);
    const turn = (round.turn = (round.turn ?? 0) + 1);
    if (shell.live && document.visibilityState === "visible") {
      await action().catch(() => {}); // the socket tells when the hub is away; the next round asks again
    }
    if (turn === round.turn) round.timer = setTimeout(round, wait);
  };
  return round;
}

const look = poll(EVERY.actor, async () => {
  const path = view.selected;
  if (path === null || !actors.get(path)) return;
  const detail = await rest.get(actorPath(path));
  if (path !== view.selected) return;
  view.detail = detail;
  draw();
});
const readRecords = poll(EVERY.records, async () => {
  const [audit, letters, waits, clients] = await Promise.all(["/audit?limit=50", "/dead-letters?limit=100", "/waits", "/clients"].map(rest.get));
  Object.assign(facts, { audit: audit.items, letters, waits: waits.items, clients: clients.items });
  draw();
});
const readLag = poll(EVERY.lag, async () => {
  const { lag, blocks, health } = await rest.get("/info");
  Object.assign(facts, { lag, blocks, health });
  draw();
});

const askAll = () => [look, readRecords, readLag].forEach((round) => round());

const DEEDS = { restart: t("Restart"), suspend: t("Suspend"), resume: t("Resume"), drain: t("Drain"), trace: t("Trace") };

async function act(action) {
  const path = view.selected;
  const say = (text, bad = false) => {
    if (view.selected === path) view.note = { text, bad };
    draw();
  };
  const what = DEEDS[action];
  say(t("{what}: under way", { what }));
  try {
    const { outcome } = await rest.post(`${actorPath(path)}/${action}`);
    if (outcome === false) say(t("{what}: done, but it did not start; its supervisor tries again", { what }), true);
    else say(outcome?.left ? t("{what}: done, {count} messages were left", { what, count: outcome.left }) : t("{what}: done", { what }));
  } catch (error) {
    say(t("{what}: {reason}", { what, reason: coded(error) }), true);
  }
  if (action !== "drain") look(); // what was drained is gone; the socket says so in a moment
  readRecords();
}

async function replay(id) {
  try {
    const { accepted } = await rest.post(`/dead-letters/${id}/replay`);
    view.replayed = accepted ? { text: t("Replayed.") } : { text: t("It was refused again."), bad: true };
  } catch (error) {
    view.replayed = { text: coded(error), bad: true };
  }
  readRecords();
}

async function disconnect(id) {
  try {
    await rest.ask(`/clients/${encodeURIComponent(id)}`, { method: "DELETE" });
    view.replayed = { text: t("Disconnected.") };
  } catch (error) {
    view.replayed = { text: coded(error), bad: true };
  }
  readRecords();
}

// ---- drawing

function paint() {
  shell.show();
  if (!actors.known) return;
  place("starting")?.remove();
  tree.setAttribute("aria-busy", "false");
  const rows = actors.rows(view.filter.trim().toLowerCase());
  if (!rows.some(({ item }) => item.path === view.cursor)) view.cursor = rows[0]?.item.path ?? null;
  const { selected, cursor, filter, detail, note } = view;
  render(html`<${TreeGrid} ...${{ rows, cursor, selected, filter, onFilter, onClick, onKeyDown }} />`, tree);
  const held = panel.contains(document.activeElement);
  render(
    selected === null
      ? html`<${LoopPanel} key="" ...${facts} />`
      : html`<${ActorPanel} key="actor" path=${selected} summary=${actors.get(selected)} ...${{ detail, note }} onAct=${act} onClose=${close} />`,
    panel,
  );
  if (held && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true }); // what had the focus is gone
  render(html`<${Totals} />`, totals);
  render(html`<${Records} ...${facts} tab=${view.tab} onTab=${onTab} onReplay=${replay} onDisconnect=${disconnect} note=${view.replayed} />`, records);
}

function Totals() {
  const { actors: count, rate, queued, restarts, troubled } = actors.totals();
  const { lag, letters, waits, clients } = facts;
  const figures = [
    [t("Actors"), count, troubled ? t("{count} in trouble", { count: troubled }) : t("all running"), troubled > 0],
    [t("Messages"), `${rate.toFixed(rate < 99.5 ? 1 : 0)} /s`, t("{count} queued", { count: queued })],
    [t("Restarts"), restarts, t("since the start")],
    [t("Loop lag p99"), milliseconds(lag?.p99), t("worst {time}", { time: milliseconds(lag?.max) }), lag?.p99 > 0.1],
    [t("Waits"), waits?.length ?? "–", t("for an answer")],
    [t("Dead letters"), letters?.total ?? "–", t("since the start"), letters?.total > 0],
    [t("Clients"), clients?.length ?? "–", t("connected")],
    ...stores(),
  ];
  return html`<dl>
    ${figures.map(([name, value, note, bad]) => html`<div key=${name} class=${bad ? "bad" : ""}><dt>${name}</dt><dd>${value}</dd><dd class="small">${note}</dd></div>`)}
  </dl>`;
}

function stores() {
  const { health } = facts;
  if (!health) return [[t("Stores"), "–", ""]];
  const bad = health.databases.find(({ ok }) => !ok);
  const slowest = Math.max(...health.databases.map(({ answers_in: time }) => time ?? 0));
  const { redis } = health;
  return [
    [t("Database"), bad ? t("ill") : t("well"), bad ? bad.why : t("answers in {time}", { time: milliseconds(slowest) }), Boolean(bad)],
    ["Redis", redis.configured ? (redis.ok ? t("well") : t("away")) : t("not used"), redis.why, !redis.ok],
  ];
}

// ---- the tree

function came() {
  newest = Date.now();
  draw();
}

client.subscribe("actors", {
  onSnapshot: (items) => (actors.replace(items), came()),
  onEvents: (items) => (actors.change(items), came()),
});

// ---- hands

function select(path) {
  if (path !== view.selected) Object.assign(view, { selected: path, detail: null, note: null });
  panel.scrollTop = 0;
  paint();
  if (path === null) return;
  view.cursor = path;
  look();
  if (matchMedia("(max-width: 900px)").matches) panel.scrollIntoView({ block: "start" });
}

/** No actor any more; the focus goes back to where it came from. */
function close() {
  const back = panel.contains(document.activeElement) ? view.selected : null;
  select(null);
  focusRow(back);
}

function focusRow(path) {
  if (path === undefined || path === null) return;
  view.cursor = path;
  paint();
  tree.querySelector(`[data-path="${CSS.escape(path)}"]`)?.focus();
}

function onFilter(text) {
  view.filter = text;
  draw();
}

function onTab(tab) {
  Object.assign(view, { tab, replayed: null });
  paint();
}

function onClick(event) {
  const row = event.target.closest("[data-path]");
  if (!row) return;
  const { path } = row.dataset;
  view.cursor = path;
  if (event.target.closest("[data-fold]")) {
    actors.fold(path, row.getAttribute("aria-expanded") !== "true");
    paint();
  } else {
    select(path);
  }
}

function onKeyDown(event) {
  const row = event.target.closest("[data-path]");
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = [...tree.querySelectorAll("[data-path]")];
  const at = rows.indexOf(row);
  const { path } = row.dataset;
  const expanded = row.getAttribute("aria-expanded");
  const fold = (open) => (actors.fold(path, open), paint());
  const keys = {
    ArrowDown: () => focusRow(rows[at + 1]?.dataset.path),
    ArrowUp: () => focusRow(rows[at - 1]?.dataset.path),
    Home: () => focusRow(rows[0].dataset.path),
    End: () => focusRow(rows.at(-1).dataset.path),
    ArrowRight: () => (expanded === "false" ? fold(true) : expanded === "true" && focusRow(rows[at + 1]?.dataset.path)),
    ArrowLeft: () => (expanded === "true" ? fold(false) : focusRow(actors.get(path)?.parent)),
    Enter: () => select(path),
    " ": () => select(path),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || view.selected === null || event.target.matches?.("input")) return;
  close();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") askAll();
});
client.connect();

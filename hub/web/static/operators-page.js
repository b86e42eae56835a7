// The operators' page: the tree comes over the socket; the actor looked at, lag and records are asked for while the page is seen.

import { html, render } from "htm/preact";
import { milliseconds } from "./format.js";
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
const shell = new Shell(client, { newest: () => newest, onState: () => shell.live && askAll(), draw });
const view = { selected: null, cursor: null, filter: "", tab: "audit", detail: null, note: null, replayed: null };
let newest = null; // UNIX ms at which the tree last changed
const facts = { lag: null, blocks: null, audit: null, letters: null, waits: null };

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
  const [audit, letters, waits] = await Promise.all([rest.get("/audit?limit=50"), rest.get("/dead-letters?limit=100"), rest.get("/waits")]);
  Object.assign(facts, { audit: audit.items, letters, waits: waits.items });
  draw();
});
const readLag = poll(EVERY.lag, async () => {
  const { lag, blocks } = await rest.get("/info");
  Object.assign(facts, { lag, blocks });
  draw();
});

const askAll = () => [look, readRecords, readLag].forEach((round) => round());

async function act(action) {
  const path = view.selected;
  const say = (text, bad = false) => {
    if (view.selected === path) view.note = { text, bad };
    draw();
  };
  say(`${action}: under way`);
  try {
    const { outcome } = await rest.post(`${actorPath(path)}/${action}`);
    if (outcome === false) say(`${action}: done, but it did not start; its supervisor tries again`, true);
    else say(outcome?.left ? `${action}: done, ${outcome.left} messages were left` : `${action}: done`);
  } catch (error) {
    say(`${action}: ${error.message}`, true);
  }
  if (action !== "drain") look(); // what was drained is gone; the socket says so in a moment
  readRecords();
}

async function replay(id) {
  try {
    const { accepted } = await rest.post(`/dead-letters/${id}/replay`);
    view.replayed = accepted ? { text: "replayed" } : { text: "refused again", bad: true };
  } catch (error) {
    view.replayed = { text: error.message, bad: true };
  }
  readRecords();
}

// ---- drawing

let due = false;

function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => due && paint());
}

function paint() {
  due = false;
  shell.show();
  if (!actors.known) return;
  place("starting")?.remove();
  tree.setAttribute("aria-busy", "false");
  const rows = actors.rows(view.filter.trim().toLowerCase());
  if (!rows.some(({ item }) => item.path === view.cursor)) view.cursor = rows[0]?.item.path ?? null;
  const { selected, cursor, filter, detail, note } = view;
  render(html`<${TreeGrid} ...${{ rows, cursor, selected, filter, onFilter, onClick, onKeyDown }} />`, tree);
  render(
    selected === null
      ? html`<${LoopPanel} key="" ...${facts} />`
      : html`<${ActorPanel} key="actor" path=${selected} summary=${actors.get(selected)} ...${{ detail, note }} onAct=${act} onClose=${() => select(null)} />`,
    panel,
  );
  render(html`<${Totals} />`, totals);
  render(html`<${Records} ...${facts} tab=${view.tab} onTab=${onTab} onReplay=${replay} note=${view.tab === "letters" ? view.replayed : null} />`, records);
}

function Totals() {
  const { actors: count, rate, queued, restarts, troubled } = actors.totals();
  const { lag, letters, waits } = facts;
  const figures = [
    ["Actors", count, troubled ? `${troubled} in trouble` : "all running", troubled > 0],
    ["Messages", `${rate.toFixed(rate < 99.5 ? 1 : 0)} /s`, `${queued} queued`],
    ["Restarts", restarts, "since the start"],
    ["Loop lag p99", milliseconds(lag?.p99), `worst ${milliseconds(lag?.max)}`, lag?.p99 > 0.1],
    ["Waits", waits?.length ?? 0, "for an answer"],
    ["Dead letters", letters?.total ?? 0, "since the start", letters?.total > 0],
  ];
  return html`<dl>
    ${figures.map(([name, value, note, bad]) => html`<div key=${name} class=${bad ? "bad" : ""}><dt>${name}</dt><dd>${value}</dd><dd class="small">${note}</dd></div>`)}
  </dl>`;
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
  view.tab = tab;
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
  const back = panel.contains(document.activeElement) ? view.selected : null;
  select(null);
  focusRow(back);
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") askAll();
});
client.connect();

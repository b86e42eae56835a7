// The intents page: a source is written, checked by the hub, looked at from all sides, and deployed by a person.

import { html, render } from "htm/preact";
import { deployAndFollow, Told } from "./deploying.js";
import { onceAFrame } from "./frames.js";
import { coded } from "./hub-words.js";
import { language, t } from "./i18n.js";
import { History } from "./intents-history.js";
import { Devices, Findings, Plan } from "./intents-result.js";
import { Network } from "./model.js";
import { TwoStep } from "./operators-panel.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Rest } from "./rest.js";
import { Sentence } from "./sentence.js";
import { Shell } from "./shell.js";
import { SourceEditor } from "./source-editor.js";
import { Tabs } from "./tabs.js";
import { WayMap } from "./ways.js";

const PAUSE = 300; // ms of quiet before the text is looked through
const LONG = 15_000; // characters of a source, at most 64 kB in JSON
const STEP = 700; // ms a witness stays on a hop

const main = document.getElementById("main");
const session = new Session();
const client = new ParaNetClient({ session });
const rest = new Rest(session);
const network = new Network();
const draw = onceAFrame(paint);
const shell = new Shell(client, { draw, onState: () => shell.live && readHistory() });
const editor = { current: null };
const following = { current: null };
const view = {
  source: "",
  name: "",
  findings: [], // of the source as it stands
  judged: false, // whether somebody has looked for them
  found: null, // the preview of a compilation
  checked: null, // {source, name} it was made of
  note: null, // {text, bad, link}
  busy: false,
  tab: "plan",
  device: null,
  platform: null,
  chosen: null, // {path: index} or {violation: index, step}
  history: { items: [], next: null, picked: [], comparison: null },
};

/** Do a REST operation over the socket, or where that would be too much for a frame by REST; rejects with the problem. */
async function ask(operation, params) {
  if (params.body?.source?.length > LONG) return rest.post(`/${operation.replace(".", "/")}`, params.body);
  return (await client.ask(operation, params)).body;
}

function change(values) {
  Object.assign(view, values);
  draw();
}

// ---- writing

/** The set's name. */
const named = () => view.name.trim() || null;

/** Whether what was found is of what stands there: one may have typed on while it was checked. */
const current = () => view.checked?.source === view.source && view.checked.name === named();

function onInput(source) {
  change({ source, findings: [], judged: false, note: null });
  lookSoon();
}

function lookSoon() {
  clearTimeout(lookSoon.timer);
  if (shell.operates && view.source.trim()) lookSoon.timer = setTimeout(lookThrough, PAUSE);
}

/** What a compiler says of it; nothing is kept. */
async function lookThrough() {
  const { source } = view;
  try {
    const { diagnostics } = await ask("intent.diagnose", { body: { source, name: named() } });
    if (!view.judged) judge(source, diagnostics);
  } catch (problem) {
    if (source === view.source) change({ note: { text: coded(problem), bad: true } });
  }
}

/** Findings of a source that is no longer there would mark the wrong places. */
function judge(source, findings, more = {}) {
  if (source === view.source) change({ findings, judged: true, ...more });
}

async function format() {
  await busily(async (source) => {
    const formatted = await ask("intent.format", { body: { source } });
    if (source !== view.source) return; // one has typed on
    if (formatted.changed) editor.current.replace(formatted.source);
    change({ note: { text: formatted.changed ? t("Formatted.") : t("It is in canonical form already.") } });
  });
}

/** Do one thing at a time to the source as it stands, and tell how it went wrong. */
async function busily(action) {
  if (view.busy) return;
  clearTimeout(lookSoon.timer);
  change({ busy: true, note: null });
  const { source } = view;
  try {
    await action(source);
  } catch (problem) {
    if (problem.code === "compile-failed") judge(source, problem.errors, { found: null, note: { text: t("Errors in the source: {count}.", { count: problem.errors.filter(({ severity }) => severity === "error").length }), bad: true } });
    else change({ note: { text: coded(problem), bad: true } });
  }
  change({ busy: false });
  if (!view.judged) lookSoon();
}

async function check() {
  if (!view.source.trim() || !shell.operates) return;
  await busily(async (source) => {
    const name = named();
    const compiled = await ask("intent.compile", { body: { source, name } });
    await show(compiled.id, { source, name });
    readHistory();
  });
}

async function show(id, checked) {
  const found = await ask("intent.preview", { id });
  const device = found.devices.some(({ node }) => node === view.device) ? view.device : (found.devices[0]?.node ?? null);
  change({ found, checked, device, chosen: null, tab: view.tab === "history" ? "plan" : view.tab });
  judge(checked.source, found.diagnostics);
}

function fill({ source, name }) {
  editor.current.replace(source);
  change({ name: name ?? view.name, tab: "plan" });
}

// ---- deploying

async function deploy() {
  await busily(() => deployAndFollow(client, view.found.id, (note) => change({ note }), following));
}

// ---- looking back

async function readHistory(more = false) {
  const { history } = view;
  const { next } = history;
  try {
    const page = await ask("intent.history", { limit: 30, ...(more && { cursor: next }) });
    if (more && history.next !== next) return; // the same was asked for twice
    Object.assign(history, { items: more ? [...history.items, ...page.items] : page.items, next: page.next, problem: null });
  } catch (problem) {
    history.problem = coded(problem);
  }
  draw();
}

async function open({ id, source, name }) {
  if (view.busy) return;
  editor.current.replace(source);
  change({ name: name ?? "" });
  await busily(() => show(id, { source, name }));
}

async function pick(id) {
  const { history } = view;
  const picked = history.picked.includes(id) ? history.picked.filter((other) => other !== id) : [...history.picked.slice(-1), id];
  Object.assign(history, { picked, comparison: null, problem: null });
  draw();
  if (picked.length < 2) return;
  const [a, b] = [...picked].sort(); // ids grow with time
  const tell = (said) => history.picked === picked && (Object.assign(history, said), draw()); // others may be picked by now
  try {
    tell({ comparison: await ask("intent.compare", { a, b }) });
  } catch (problem) {
    tell({ problem: coded(problem) });
  }
}

// ---- a witness, hop by hop

function play(violation) {
  clearInterval(play.timer);
  const last = view.found.verification.violations[violation].witness.hops.length - 1;
  change({ chosen: { violation, step: 0 } });
  play.timer = setInterval(() => {
    const { chosen } = view;
    if (chosen?.violation !== violation || chosen.step >= last) clearInterval(play.timer);
    else change({ chosen: { violation, step: chosen.step + 1 } });
  }, STEP);
}

function choose(chosen) {
  clearInterval(play.timer);
  change({ chosen });
}

function ways() {
  const { found, chosen } = view;
  if (!found) return [];
  if (chosen?.violation !== undefined) {
    const { hops } = found.verification.violations[chosen.violation].witness;
    return [{ hops }, { hops: hops.slice(0, chosen.step + 1), chosen: true, bad: true }];
  }
  const drawn = found.paths.map((path, i) => ({ ...path, chosen: chosen?.path === i }));
  return drawn.sort((a, b) => a.chosen - b.chosen);
}

// ---- drawing

function paint() {
  shell.show();
  if (!network.known) return;
  main.setAttribute("aria-busy", "false");
  document.getElementById("starting")?.remove();
  render(html`<${Page} />`, main);
}

function names() {
  const ids = [...network.nodes.values()].flatMap(({ id, name }) => (name.toLowerCase() === id.toLowerCase() || /[\s:]/.test(name) ? [id] : [id, name]));
  return [...ids, ...network.links.keys()];
}

function Page() {
  const { source, findings, found, note, busy } = view;
  const violations = found?.verification.violations.length ?? 0;
  const tabs = { plan: t("Plan"), devices: t("Devices"), history: t("History") };
  return html`
    <section class="write" aria-label=${t("Write")}>
      <${Sentence} ask=${ask} language=${language} onFill=${fill} />
      <div class="sheet">
        <${SourceEditor} ...${{ source, findings, onInput }} names=${names()} readOnly=${false} onCheck=${check} handle=${editor} />
        <${Findings} findings=${findings} onShow=${(span) => editor.current.show(span)} />
      </div>
      <${Actions} />
      <${Told} note=${note} />
    </section>
    <section class="look" aria-label=${t("Result")}>
      <${WayMap} network=${network} ways=${ways()} onPick=${({ id }) => editor.current.insert(id)} />
      <${Tabs} id="result" label=${t("Result")} names=${tabs} tab=${view.tab} counts=${{ plan: violations, devices: found?.devices.length }} onTab=${(tab) => change({ tab })}>
        ${view.tab === "plan" && html`<${Plan} ...${{ found, chosen: view.chosen, onChoose: choose, onPlay: play }} stale=${found && !current()} />`}
        ${view.tab === "devices" && html`<${Devices} ...${{ found, device: view.device, platform: view.platform, onView: change }} />`}
        ${view.tab === "history" && html`<${History} ...${view.history} busy=${busy} onOpen=${open} onPick=${pick} onMore=${() => readHistory(true)} />`}
      <//>
    </section>`;
}

function Actions() {
  const { source, found, busy } = view;
  if (!shell.operates) return html`<p class="hint">${t("Checking and deploying need the role operator. You can look at what others have compiled: see History.")}</p>`;
  const ready = found?.ok && found.verification.ok && !found.conflict && current();
  return html`
    <div class="actions">
      <label>${t("Set")} <input value=${view.name} maxlength="128" autocomplete="off" spellcheck=${false} size="14"
        title=${t("Intents compiled under one name replace each other when they are deployed")} onInput=${(e) => change({ name: e.currentTarget.value })} /></label>
      <button type="button" class="primary" disabled=${busy || !source.trim()} onClick=${check} title=${t("Ctrl+Enter")}>${busy ? t("Working…") : t("Check")}</button>
      <button type="button" disabled=${busy || !source.trim()} onClick=${format}>${t("Format")}</button>
      <${TwoStep} text=${t("Deploy")} confirm=${t("Confirm deploy")} onAct=${deploy} disabled=${busy || !ready}
        title=${ready ? "" : t("Check it first: only what is proven can be deployed")} />
    </div>`;
}

client.subscribe("topology", {
  onSnapshot: (data) => (network.replaceTopology(data), draw()),
  onEvents: (events) => (network.changeTopology(events), draw()),
});
client.connect();

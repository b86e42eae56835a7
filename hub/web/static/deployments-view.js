// One deployment: its waves and devices, its gates, its plan, and its log, which is told whole and in order, also after a reconnect.

import { html, useEffect, useRef, useState } from "htm/preact";
import { Gates } from "./deployments-gates.js";
import { Log, useLog } from "./deployments-log.js";
import { Bar, ENDINGS, kindOf, shortId, StateChip, STEPS } from "./deployments-list.js";
import { inWords } from "./hub-words.js";
import { t } from "./i18n.js";
import { duration, Moment, ms, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const DEVICES = 60; // devices of a wave that are shown at first
const ROWS = 50; // rows of a device that are shown at first
const CANCELLABLE = new Set(["queued", "planned", "validating", "staging", "committing", "gating"]);
const ORDER = ["good", "live", "ready", "warn", "bad", "wait"];

export function DeploymentView({ id, summary, shell, onSelect }) {
  const state = summary?.state ?? null;
  const ended = ENDINGS.has(state);
  const wanted = id === null ? null : { id };
  const status = useAsked(shell, "deploy.status", wanted);
  const plan = useAsked(shell, "deploy.plan", wanted);
  const log = useLog(shell, id);
  const seen = useRef(state);
  useEffect(() => {
    // the plan of a queued one is made anew when its turn comes; the ending may come with a reason
    if (seen.current === state) return;
    if (ended || seen.current === "queued" || status.body === null) status.again();
    if (seen.current === "queued") plan.again();
    seen.current = state;
  }, [state]);
  if (id === null) return html`<p class="none">${t("Choose a deployment.")}</p>`;
  const known = { ...(status.body ?? {}), ...(summary ?? {}), waves: told(status.body?.waves ?? [], log.steps) };
  if (!status.body && !summary) {
    return status.error ? html`<${Problem} error=${status.error} />` : html`<p class="loading">${t("Loading the deployment…")}</p>`;
  }
  return html`<article>
    <${Head} ...${{ id, known, shell, onSelect, ended }} />
    <${Problem} error=${status.error} />
    <${Waves} waves=${known.waves} />
    <${Gates} ...${{ shell, known }} events=${log.own} />
    <${Plan} plan=${plan} />
    <${Log} ...${{ log }} />
  </article>`;
}

function Head({ id, known, shell, onSelect, ended }) {
  const [note, act] = useAct(shell, `${id} ${ended}`);
  const started = ms(known.started_at);
  const end = ms(known.ended_at);
  const eta = ms(known.eta);
  const look = known.state === "succeeded" ? "good" : known.state === "failed" ? "bad" : ended ? "warn" : "busy";
  const cancel = () => act("deploy.cancel", { id }, t("It undoes what it has done."));
  const back = () => act("deploy.roll-back", { id }, t("The way back has begun."), (body) => onSelect(body.deploy_id));
  return html`
    <header class="head">
      <p class="kicker">${kindOf(known)}</p>
      <h1><code>${shortId(id)}</code> <${StateChip} state=${known.state} /></h1>
      <p class="facts">
        <span>${t("by {author}", { author: known.author })}</span>
        <span>${t("begun")} <${Moment} at=${started} /></span>
        ${end !== null && html`<span>${t("ended")} <${Moment} at=${end} />, ${t("after {time}", { time: duration((end - started) / 1000) })}</span>`}
        ${!ended && eta !== null && html`<${Left} until=${eta} />`}
      </p>
      <p class="facts">
        ${known.compile_id && html`<span>${t("Compilation")} <code>${known.compile_id}</code></span>`}
        ${known.rolls_back && html`<span>${t("undoes")} <button type="button" class="link" onClick=${() => onSelect(known.rolls_back)}>${shortId(known.rolls_back)}</button></span>`}
        ${!ended && known.behind?.length > 0 && html`<span>${t("waits for")} ${known.behind.map((other) => html`<button key=${other} type="button" class="link" onClick=${() => onSelect(other)}>${shortId(other)}</button> `)}</span>`}
      </p>
      <div class="whole" role="progressbar" aria-label=${t("Progress")} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${known.percent}>
        <${Bar} percent=${known.percent} look=${look} /><span>${known.percent} %</span>
      </div>
      ${known.reason && html`<p class="reason ${ended ? look : "warn"}" role="status"><strong>${t("Reason")}</strong> ${inWords(known.reason)}</p>`}
      ${known.inconsistent_devices?.length > 0 && html`<p class="reason bad"><strong>${t("Not certain on")}</strong> ${known.inconsistent_devices.join(", ")}</p>`}
      ${shell.operates && html`<div class="actions" role="group" aria-label=${t("Actions")}>
        ${CANCELLABLE.has(known.state) && html`<${TwoStep} key="cancel" text=${t("Cancel")} confirm=${t("Confirm cancel")} onAct=${cancel} />`}
        ${known.state === "succeeded" && html`<${TwoStep} key="back" text=${t("Roll back")} confirm=${t("Confirm roll back")} onAct=${back} />`}
      </div>`}
      <${Note} note=${note} />
    </header>`;
}

/** How long it still takes; while a gate looks nobody tells anything, so the page counts by itself. */
function Left({ until }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = (until - Date.now()) / 1000;
  return html`<span>${left > 0.5 ? t("about {time} left", { time: duration(left) }) : t("about to end")}</span>`;
}

/** The waves with what the log says of their devices; the log is newer than the status, or as old. */
function told(waves, steps) {
  return waves.map((wave) => ({ ...wave, devices: wave.devices.map((device) => ({ ...device, ...steps.get(device.node) })) }));
}

function Waves({ waves }) {
  if (waves.length === 0) return html`<h2>${t("Waves")}</h2><p class="none">${t("No device has to change.")}</p>`;
  return html`
    <h2>${t("Waves")}</h2>
    <ol class="waves">${waves.map((wave) => html`<${Wave} key=${wave.index} wave=${wave} count=${waves.length} />`)}</ol>`;
}

function Wave({ wave, count }) {
  const [all, showAll] = useState(false);
  const { devices } = wave;
  const looks = devices.map(({ state }) => (STEPS[state] ?? STEPS.planned)[2]);
  const done = looks.filter((look) => look === "live" || look === "good").length;
  let from = 0;
  const parts = ORDER.map((look) => {
    const width = (100 * looks.filter((other) => other === look).length) / devices.length;
    from += width;
    return { look, width, from: from - width };
  });
  return html`
    <li class="wave" data-wave=${wave.index}>
      <h3>${t("Wave {number} of {count}", { number: wave.index + 1, count })} <span class="sub">${t("{done} of {devices} live", { done, devices: devices.length })}</span></h3>
      <svg class="wave-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        ${parts.filter(({ width }) => width > 0).map((part) => html`<rect key=${part.look} class=${part.look} x=${part.from} width=${part.width} height="8" />`)}
      </svg>
      <ul class="devices">
        ${(all ? devices : devices.slice(0, DEVICES)).map(({ node, state, message }) => {
          const [sign, text, look] = STEPS[state] ?? ["·", state, "wait"];
          return html`<li key=${node} class=${look} data-device=${node} data-step=${state} title=${inWords(message) || undefined}>
            <i aria-hidden="true">${sign}</i><span>${node}</span><small>${text}</small>
          </li>`;
        })}
      </ul>
      ${devices.length > DEVICES && !all && html`<button type="button" class="more" onClick=${() => showAll(true)}>${t("All {count} devices", { count: devices.length })}</button>`}
    </li>`;
}

function Plan({ plan }) {
  if (plan.error) return html`<h2>${t("Changes")}</h2><${Problem} error=${plan.error} />`;
  const changes = plan.body?.changes ?? [];
  if (changes.length === 0) return null;
  return html`
    <h2>${t("Changes")} <span class="sub">${t("by device")}</span></h2>
    <ul class="plan">${changes.map((change) => html`<li key=${change.node}><${Change} ...${change} /></li>`)}</ul>`;
}

function Change({ node, diff }) {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const fold = () => setOpen(false);
    const unfold = () => (setOpen(true), addEventListener("afterprint", fold, { once: true })); // on paper nothing can be opened
    if (!open) addEventListener("beforeprint", unfold);
    return () => removeEventListener("beforeprint", unfold);
  }, [open]);
  const { add, change, remove } = diff;
  const lines = open ? [...remove.map((row) => ["−", "remove", row]), ...change.flatMap(({ before, after }) => [["−", "remove", before], ["+", "add", after]]), ...add.map((row) => ["+", "add", row])] : [];
  return html`
    <details open=${open} onToggle=${({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary><span>${node}</span> <span class="count add">+${add.length}</span> <span class="count">~${change.length}</span> <span class="count remove">−${remove.length}</span></summary>
      ${open && html`<pre class="diff" tabindex="0">${lines.slice(0, ROWS).map(([sign, look, row], i) => html`<span key=${i} class=${look}>${`${sign} ${row.family} ${row.key} ${JSON.stringify(row.value)}\n`}</span>`)}</pre>`}
      ${lines.length > ROWS && html`<p class="none">${t("and {count} more", { count: lines.length - ROWS })}</p>`}
    </details>`;
}

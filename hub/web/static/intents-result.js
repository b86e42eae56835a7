// What came of checking a source: findings, paths and proof, and what every device would get.

import { html } from "htm/preact";
import { bitrate, milliseconds, NONE } from "./format.js";
import { CHECKS, coded } from "./hub-words.js";
import { t } from "./i18n.js";

const SEVERITY = { error: t("error"), warning: t("warning"), info: t("note") };

export function Findings({ findings, onShow }) {
  return html`
    <ul id="findings" class="findings" aria-label=${t("Findings")} aria-live="polite">
      ${findings.map(
        ({ code, message, hint, severity, span }, i) => html`<li key=${i}>
          <button type="button" class=${severity} onClick=${() => onShow(span)}>
            <span class="where">${span.line}:${span.column}</span>
            <span class="what"><b>${SEVERITY[severity]} ${code}</b> ${coded({ code, message })}${hint && html` <i>(${hint})</i>`}</span>
          </button>
        </li>`,
      )}
    </ul>`;
}

export function Plan({ found, chosen, stale, onChoose, onPlay }) {
  if (!found) return html`<p class="none">${t("Nothing is checked yet. Write a source and check it: paths, proof and rows appear here.")}</p>`;
  const { paths, verification, conflict, topology_moved: moved } = found;
  return html`
    ${stale && html`<p class="notice">${t("The source or its set has changed since it was checked.")}</p>`}
    ${moved && html`<p class="notice">${t("The topology has changed since it was checked.")}</p>`}
    ${conflict && html`<${Conflict} message=${conflict} />`}
    <${Proof} ...${{ verification, chosen, onChoose, onPlay }} />
    <h3>${t("Paths")}</h3>
    ${paths.length === 0 && html`<p class="none">${t("It has no paths.")}</p>`}
    <ul class="paths">
      ${paths.map(
        (path, i) => html`<li key=${i}>
          <button type="button" aria-pressed=${chosen?.path === i} onClick=${() => onChoose(chosen?.path === i ? null : { path: i })}>
            <b>${path.intent}</b> <span class="chip">${path.modality.toUpperCase()}</span>${path.backup && html` <span class="chip">${t("backup")}</span>`}
            <span class="hops">${path.hops.join(" → ")}</span>
            <small>${milliseconds(path.latency)}, ${path.bandwidth ? bitrate(path.bandwidth) : t("nothing reserved")}</small>
          </button>
        </li>`,
      )}
    </ul>`;
}

export const Conflict = ({ message }) => html`<p class="notice bad">${coded({ code: "row-conflict", message })}</p>`;

function Proof({ verification, chosen, onChoose, onPlay }) {
  const { ok, checked, violations } = verification;
  const made = Object.entries(checked).filter(([, count]) => count > 0);
  return html`
    <h3>${t("Proof")}</h3>
    <p class="verdict ${ok ? "good" : "bad"}">${ok ? t("Proven: every promise holds.") : t("Not proven.")}</p>
    ${made.length > 0 && html`<p class="checks">${t("Checked:")} ${made.map(([name, count]) => html`<span class="chip" key=${name}>${CHECKS[name] ?? name} ${count}</span>`)}</p>`}
    <ul class="violations">
      ${violations.map(
        (violation, i) => html`<li key=${i}><${Violation} ...${{ ...violation, chosen: chosen?.violation === i ? chosen : null }} onStep=${(step) => onChoose({ violation: i, step })} onPlay=${() => onPlay(i)} /></li>`,
      )}
    </ul>`;
}

function Violation({ check, message, witness, intents, rows, chosen, onStep, onPlay }) {
  const { header, hops } = witness;
  const last = hops.length - 1;
  const step = chosen?.step ?? -1;
  return html`
    <p><b>${CHECKS[check] ?? check}</b> ${message}</p>
    <p class="small">${intents.join(", ")}</p>
    ${Object.keys(header).length > 0 && html`<p class="small"><code>${Object.entries(header).map(([name, value]) => `${name}=${value}`).join(" ")}</code></p>`}
    ${
      hops.length > 0 &&
      html`<div class="witness" role="group" aria-label=${t("Witness")}>
        <ol>${hops.map((hop, i) => html`<li key=${i}><button type="button" aria-current=${i === step ? "step" : undefined} class=${i <= step ? "passed" : ""} onClick=${() => onStep(i)}>${hop}</button></li>`)}</ol>
        <button type="button" disabled=${step <= 0} aria-label=${t("One hop back")} onClick=${() => onStep(step - 1)}>◀</button>
        <button type="button" disabled=${step >= last} aria-label=${t("One hop on")} onClick=${() => onStep(step + 1)}>▶</button>
        <button type="button" onClick=${onPlay}>${t("Play")}</button>
      </div>`
    }
    ${rows.length > 0 && html`<details><summary>${t("Rows")}</summary><pre>${rows.join("\n")}</pre></details>`}`;
}

export function Devices({ found, device, platform, onView }) {
  if (!found) return html`<p class="none">${t("Nothing is checked yet.")}</p>`;
  if (found.devices.length === 0) return html`<p class="none">${t("No device gets or loses anything.")}</p>`;
  const shown = found.devices.find(({ node }) => node === device) ?? found.devices[0];
  const platforms = Object.keys(shown.text);
  const used = platforms.includes(platform) ? platform : platforms[0];
  return html`
    <div class="choices">
      <label>${t("Device")} <select value=${shown.node} onChange=${(event) => onView({ device: event.currentTarget.value })}>
        ${found.devices.map(({ node, diff }) => html`<option key=${node} value=${node}>${node} (${tally(diff)})</option>`)}
      </select></label>
      ${used && html`<label>${t("Platform")} <select value=${used} onChange=${(event) => onView({ platform: event.currentTarget.value })}>
        ${platforms.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select></label>`}
    </div>
    <h3>${t("Difference to what is installed")}</h3>
    <${Diff} diff=${shown.diff} />
    ${used && html`<h3>${t("Rows for {platform}", { platform: used })}</h3><pre tabindex="0">${shown.text[used]}</pre>`}`;
}

export const tally = ({ add, change, remove }) => `+${add.length} ~${change.length} −${remove.length}`;

export function Diff({ diff }) {
  const { add, change, remove } = diff;
  if (add.length + change.length + remove.length === 0) return html`<p class="none">${t("Nothing changes.")}</p>`;
  return html`
    <ul class="diff">
      ${add.map((row) => html`<li class="add"><b>+</b> ${named(row)} <code>${valued(row)}</code></li>`)}
      ${change.map(({ before, after }) => html`<li class="change"><b>~</b> ${named(after)} <code class="before">${valued(before)}</code> <code>${valued(after)}</code></li>`)}
      ${remove.map((row) => html`<li class="remove"><b>−</b> ${named(row)} <code class="before">${valued(row)}</code></li>`)}
    </ul>`;
}

const named = ({ family, key }) => html`<span class="row-name">${family} ${key}</span>`;
const valued = ({ value }) => (value === undefined ? NONE : JSON.stringify(value));

// What the side panel tells beyond figures: interfaces, rows that are installed, who changed what. And the forms of the edit mode.

import { html, useState } from "htm/preact";
import { capacity } from "./format.js";
import { t } from "./i18n.js";
import { Moment, Problem, TwoStep, useAsked } from "./watch-parts.js";

const ROWS = 40;
const CHANGES = 8;
const LOOKED_THROUGH = 300; // entries of the change log
const TYPES = ["router", "switch", "host", "p4_switch", "ndn_router", "ndn_cache", "ndn_producer", "ndn_consumer", "geo_router", "geo_mobile"];

export function NodeMore({ shell, node, revision }) {
  return html`
    <${Interfaces} node=${node} />
    ${shell.operates && html`<${Installed} ...${{ shell, node }} />`}
    <${Changes} ...${{ shell, revision, id: node.id }} />`;
}

function Interfaces({ node }) {
  if (node.interfaces.length === 0) return null;
  return html`
    <details class="more">
      <summary>${t("Interfaces")} <span class="chip">${node.interfaces.length}</span></summary>
      <dl class="details">
        ${node.interfaces.map(({ name, address, secondary }) => html`<dt key=${name}><code>${name}</code></dt><dd><code>${[address, ...(secondary ?? [])].filter(Boolean).join(" ") || "–"}</code></dd>`)}
      </dl>
    </details>`;
}

/** Read from the device only when somebody wants to see it. */
function Installed({ shell, node }) {
  const [open, setOpen] = useState(false);
  const { body, error, again } = useAsked(shell, "deploy.rows", open ? { id: node.id } : null);
  const rows = body?.rows ?? [];
  return html`
    <details class="more" onToggle=${({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>${t("Installed rows")} ${body && html`<span class="chip">${rows.length}</span>`}</summary>
      ${open &&
      html`<${Problem} error=${error} />
        ${body === null && !error && html`<p class="none" role="status">${t("Reading the device…")}</p>`}
        ${body && rows.length === 0 && html`<p class="none">${t("Nothing is installed on it.")}</p>`}
        <ul class="rows">
          ${rows.slice(0, ROWS).map((row) => html`<li key="${row.family} ${row.key}"><code>${row.family} ${row.key}</code><small>${(row.owners ?? []).join(", ")}</small></li>`)}
        </ul>
        ${rows.length > ROWS && html`<p class="none">${t("and {count} more", { count: rows.length - ROWS })}</p>`}
        ${body && html`<button type="button" class="small" onClick=${again}>${t("Read again")}</button>`}`}
    </details>`;
}

/** The change log, all of it or what names one part. */
export function Changes({ shell, revision, id = null, edit = null }) {
  const [open, setOpen] = useState(false);
  const { body, error } = useAsked(shell, "topology.history", open ? { limit: id ? LOOKED_THROUGH : 30 } : null, { live: `${shell.live} ${revision}` });
  const names = (text) => text.split(/[\s,]+/).includes(id);
  const entries = (body?.items ?? []).filter(({ summary }) => id === null || names(summary)).slice(0, id ? CHANGES : 30);
  return html`
    <details class="more" onToggle=${({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>${t("Changes")}</summary>
      ${open &&
      html`<${Problem} error=${error} />
        ${body === null && !error && html`<p class="none" role="status">${t("Asking…")}</p>`}
        ${body && entries.length === 0 && html`<p class="none">${t("No change of late names it.")}</p>`}
        <ol class="changes">
          ${entries.map(
            (entry) => html`<li key=${entry.revision}>
              <span>${entry.summary}</span><small><${Moment} at=${entry.at} /> · ${entry.author} · ${t("revision {revision}", { revision: entry.revision })}</small>
              ${edit?.on && entry.revision !== revision && html`<${TwoStep} text=${t("Restore")} confirm=${t("Confirm restore")} onAct=${() => edit.restore(entry.revision)} />`}
            </li>`,
          )}
        </ol>`}
    </details>`;
}

// ---- forms of the edit mode

export function NodeForm({ node, edit }) {
  const told = {
    name: node.name,
    type: node.type,
    region: node.region ?? "",
    latitude: node.location ? String(node.location.latitude) : "",
    longitude: node.location ? String(node.location.longitude) : "",
  };
  const save = (form) => {
    const fields = {};
    if (form.name !== told.name) fields.name = form.name.trim();
    if (form.type !== told.type) Object.assign(fields, { type: form.type.trim(), modalities: undefined });
    if (form.region !== told.region) fields.region = form.region.trim() || null;
    if (form.latitude !== told.latitude || form.longitude !== told.longitude) {
      fields.location = form.latitude || form.longitude ? { ...node.location, latitude: Number(form.latitude), longitude: Number(form.longitude) } : null;
    }
    return edit.edits.change("nodes", node.id, fields);
  };
  return html`<${Form} ...${{ told, save, edit }} fields=${[
    ["name", t("Name"), { required: true, maxlength: 200 }],
    ["type", t("Type"), { list: TYPES, required: true }],
    ["region", t("Region"), {}],
    ["latitude", t("Latitude, degrees"), { inputmode: "decimal", pattern: String.raw`-?\d+(\.\d+)?` }],
    ["longitude", t("Longitude, degrees"), { inputmode: "decimal", pattern: String.raw`-?\d+(\.\d+)?` }],
  ]} />`;
}

export function LinkForm({ link, edit }) {
  const told = { bandwidth: capacity(link.bandwidth), latency: `${link.latency * 1000} ms`, cost: String(link.cost), mtu: String(link.mtu), enabled: link.enabled };
  const save = (form) => {
    const fields = {};
    for (const name of ["bandwidth", "latency"]) if (form[name] !== told[name]) fields[name] = form[name].trim();
    for (const name of ["cost", "mtu"]) if (form[name] !== told[name]) fields[name] = Number(form[name]);
    if (form.enabled !== told.enabled) fields.enabled = form.enabled;
    return edit.edits.change("links", link.id, fields);
  };
  return html`<${Form} ...${{ told, save, edit }} fields=${[
    ["bandwidth", t("Bandwidth"), { required: true }],
    ["latency", t("Latency"), { required: true }],
    ["cost", t("Cost"), { inputmode: "decimal", pattern: String.raw`\d+(\.\d+)?`, required: true }],
    ["mtu", "MTU", { inputmode: "numeric", pattern: String.raw`\d+`, required: true }],
    ["enabled", t("Enabled"), { type: "checkbox" }],
  ]} />`;
}

const without = (values, known) => Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== known[name]));

function Form({ told, fields, save, edit }) {
  const [typed, setTyped] = useState({}); // what differs from what is told; all else follows what is told
  const form = { ...told, ...typed };
  const idle = Object.keys(without(form, told)).length === 0 || edit.edits.busy;
  const set = (name) => ({ currentTarget }) => setTyped(without({ ...typed, [name]: currentTarget.type === "checkbox" ? currentTarget.checked : currentTarget.value }, told));
  const onSubmit = async (event) => {
    event.preventDefault();
    if (!idle && (await save(form))) setTyped((now) => without(now, form));
  };
  return html`
    <form class="edit-form" onSubmit=${onSubmit}>
      ${fields.map(([name, text, { type = "text", list, ...more }]) =>
        type === "checkbox"
          ? html`<label key=${name} class="inline"><input type="checkbox" checked=${form[name]} onChange=${set(name)} /> ${text}</label>`
          : html`<label key=${name}>${text}<input ...${more} value=${form[name]} list=${list && `list-${name}`} onInput=${set(name)} autocomplete="off" spellcheck=${false} />
              ${list && html`<datalist id="list-${name}">${list.map((value) => html`<option key=${value} value=${value} />`)}</datalist>`}</label>`,
      )}
      <button class="primary" aria-disabled=${idle}>${t("Save")}</button>
    </form>`;
}

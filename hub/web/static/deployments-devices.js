// Who holds which device, and what devices show that was not deployed.

import { html, useState } from "htm/preact";
import { shortId } from "./deployments-list.js";
import { inWords } from "./hub-words.js";
import { t } from "./i18n.js";
import { Table } from "./table.js";
import { duration, Moment, ms, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const EVERY = 3_000; // ms between two looks at the leases
const ROWS = 300; // rows of drift that are shown
const KINDS = { missing: [t("missing"), "bad"], changed: [t("changed"), "warn"], "extra-owned": [t("extra"), "warn"], foreign: [t("foreign"), "busy"] };

export function Leases({ shell, onSelect }) {
  const { body, error, again } = useAsked(shell, "deploy.leases", {}, { every: EVERY });
  const [note, act] = useAct(shell, "leases");
  const free = (node) => act("deploy.lease-release", { id: node }, t("{node} is free.", { node }), again);
  const items = body?.items ?? [];
  return html`
    <h1>${t("Leases")}</h1>
    <p class="sub">${t("A device belongs to one deployment at a time. A lease that is taken away stops its deployment on that device.")}</p>
    <${Problem} error=${error} /><${Note} note=${note} />
    ${
      body === null
        ? !error && html`<p class="loading">${t("Looking…")}</p>`
        : html`<${Table} label=${t("Leases")} none=${t("Nobody holds a device.")} keys=${items.map(({ node }) => node)}
            head=${[t("Device"), t("Deployment"), t("Token"), t("Taken"), t("Lapses in"), ""]}
            rows=${items.map((lease) => [
              lease.node,
              html`<button type="button" class="link" onClick=${() => onSelect(lease.deploy_id)}>${shortId(lease.deploy_id)}</button>`,
              lease.token,
              html`<${Moment} at=${lease.taken_at} />`,
              duration((ms(lease.expires_at) - Date.now()) / 1000),
              html`<${TwoStep} text=${t("Release")} confirm=${t("Confirm release")} title=${t("Release {node}", { node: lease.node })} onAct=${() => free(lease.node)} />`,
            ])} />`
    }`;
}

export function Drift({ shell, onSelect }) {
  const { body, error, again } = useAsked(shell, "deploy.drift", {});
  const [note, act] = useAct(shell, "drift");
  const [chosen, setChosen] = useState(new Set());
  const rows = body?.items ?? [];
  const nodes = [...new Set(rows.map(({ node }) => node))];
  const picked = nodes.filter((node) => chosen.has(node));
  const pick = (node, on) => {
    const next = new Set(chosen);
    if (on) next.add(node);
    else next.delete(node);
    setChosen(next);
  };
  const restore = () => act("deploy.drift-restore", { body: { nodes: picked } }, t("Restoring has begun."), ({ deploy_id: id }) => onSelect(id));
  const adopt = () => act("deploy.drift-adopt", { body: { nodes: picked } }, ({ adopted }) => t("{count} rows are wanted as they are now.", { count: adopted.length }), again);
  const away = Object.entries(body?.unreachable ?? {});
  return html`
    <h1>${t("Drift")}</h1>
    <p class="sub">${t("Rows that are not as they were deployed. Restore deploys them again, adopt takes what the devices show for what is wanted. Foreign rows stay either way.")}</p>
    <div class="actions" role="group" aria-label=${t("Actions")}>
      <button type="button" onClick=${again}>${t("Look again")}</button>
      <${TwoStep} text=${t("Restore")} confirm=${t("Confirm restore")} disabled=${picked.length === 0} onAct=${restore} />
      <${TwoStep} text=${t("Adopt")} confirm=${t("Confirm adopt")} disabled=${picked.length === 0} onAct=${adopt} />
      <span class="sub">${t("devices chosen: {count}", { count: picked.length })}</span>
    </div>
    <${Note} note=${note} /><${Problem} error=${error} />
    ${away.length > 0 && html`<div class="problem" role="status"><p>${t("These could not be compared:")}</p><ul>${away.map(([node, why]) => html`<li key=${node}>${node}: ${inWords(why)}</li>`)}</ul></div>`}
    ${body === null && !error && html`<p class="loading">${t("Reading the devices…")}</p>`}
    ${body !== null && nodes.length === 0 && away.length === 0 && html`<p class="none">${t("Every device shows what was deployed on it.")}</p>`}
    ${nodes.map((node) => html`<${Drifted} key=${node} node=${node} rows=${rows.filter((row) => row.node === node)} chosen=${chosen.has(node)} onPick=${pick} />`)}`;
}

function Drifted({ node, rows, chosen, onPick }) {
  return html`
    <section class="drifted" aria-label=${node}>
      <h2><label class="inline"><input type="checkbox" checked=${chosen} onChange=${({ target }) => onPick(node, target.checked)} /> ${node}</label> <span class="sub">${t("rows: {count}", { count: rows.length })}</span></h2>
      <ul>
        ${rows.slice(0, ROWS).map((row) => {
          const [text, look] = KINDS[row.kind] ?? [row.kind, "busy"];
          return html`<li key="${row.family} ${row.key}">
            <span class="chip state ${look}">${text}</span> <code>${row.family} ${row.key}</code>${row.owners.length > 0 && html` <span class="sub">${row.owners.join(", ")}</span>`}
            <pre class="diff">${row.expected && html`<span class="remove">${`${t("deployed")} ${JSON.stringify(row.expected)}\n`}</span>`}${row.actual && html`<span class="add">${`${t("shown")} ${JSON.stringify(row.actual)}\n`}</span>`}</pre>
          </li>`;
        })}
      </ul>
      ${rows.length > ROWS && html`<p class="none">${t("and {count} more", { count: rows.length - ROWS })}</p>`}
    </section>`;
}

// Alerts by state from channel `alerts`; one of them with what was done about it and why notices were, or were not, sent.

import { html, useEffect, useState } from "htm/preact";
import { inWords } from "./hub-words.js";
import { t } from "./i18n.js";
import { SilenceForm, Silences } from "./monitor-silences.js";
import { Table } from "./table.js";
import { Moment, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const MOST = 300; // alerts of a state that are drawn
const EVERY = 3_000; // ms between two looks at the decisions, which no channel tells
export const STATES = { inactive: [t("inactive"), "busy"], firing: [t("firing"), "bad"], recovering: [t("recovering"), "warn"], pending: [t("pending"), "warn"], resolved: [t("resolved"), "good"] };
export const SEVERITIES = { critical: t("critical"), warning: t("warning"), info: t("info") };
const RANK = Object.keys(SEVERITIES);
const DECISIONS = { sent: [t("sent"), "good"], retry: [t("retry"), "warn"], failed: [t("failed"), "bad"], "not-sent": [t("not sent"), "busy"] };

/** What the channel says; the hub forgets what was resolved long ago, and so does this. */
export class Alerts {
  known = false;
  moved = 0;
  #byId = new Map();

  get = (id) => this.#byId.get(id) ?? null;

  get burning() {
    return [...this.#byId.values()].filter(({ state }) => state === "firing" || state === "recovering").length;
  }

  replace(items) {
    this.known = true;
    this.#byId.clear();
    this.change(items);
  }

  change(items) {
    this.moved += 1;
    for (const item of items) {
      if (item.gone || item.state === "inactive") this.#byId.delete(item.id);
      else this.#byId.set(item.id, item);
    }
  }

  rows(severity, text) {
    const wanted = text.trim().toLowerCase();
    const said = (alert) => `${alert.name} ${JSON.stringify(alert.labels)} ${alert.annotations.summary ?? ""}`.toLowerCase();
    return [...this.#byId.values()]
      .filter((alert) => (!severity || alert.severity === severity) && (!wanted || said(alert).includes(wanted)))
      .sort((a, b) => RANK.indexOf(a.severity) - RANK.indexOf(b.severity) || (b.active_at ?? "").localeCompare(a.active_at ?? ""));
  }
}

export function AlertsTab({ shell, alerts, moved, selected, onSelect }) {
  const [severity, setSeverity] = useState("");
  const [text, setText] = useState("");
  const rows = alerts.rows(severity, text);
  const alert = selected && alerts.get(selected);
  return html`
    <section class="list" aria-label=${t("Alerts")}>
      <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
        <label>${t("Severity")}<select value=${severity} onChange=${({ target }) => setSeverity(target.value)}>
          <option value="">${t("any")}</option>${Object.entries(SEVERITIES).map(([name, word]) => html`<option key=${name} value=${name}>${word}</option>`)}
        </select></label>
        <label>${t("Find")}<input type="search" value=${text} onInput=${({ target }) => setText(target.value)} spellcheck=${false} /></label>
      </form>
      ${rows.length === 0 && html`<p class="none">${severity || text ? t("No alert is like that.") : t("All is quiet.")}</p>`}
      ${Object.entries(STATES).map(([state, [word]]) => {
        const here = rows.filter((row) => row.state === state);
        return here.length > 0 && html`
          <h2 key=${state}>${word} <span class="chip">${here.length}</span></h2>
          <ul key="${state} items" class="items">${here.slice(0, MOST).map((row) => html`<${Item} key=${row.id} alert=${row} selected=${row.id === selected} onSelect=${onSelect} />`)}</ul>
          ${here.length > MOST && html`<p class="none">${t("and {count} more", { count: here.length - MOST })}</p>`}`;
      })}
    </section>
    <section class="detail" aria-label=${t("Alert")}>
      ${alert
        ? html`<${AlertView} key=${alert.id} ...${{ shell, alert, moved }} />`
        : html`<p key="" class="none">${selected ? t("This alert is no longer there.") : t("Choose an alert to see why it burns, and why notices were or were not sent.")}</p>`}
      <${Silences} ...${{ shell, moved }} />
    </section>`;
}

const figure = (value) => (typeof value === "number" ? Number(value.toPrecision(4)) : (value ?? "–"));
const place = ({ labels }) => labels.link ?? labels.node ?? labels.flow ?? labels.type ?? "";

function Item({ alert, selected, onSelect }) {
  return html`
    <li><button type="button" class="item" aria-current=${selected ? "true" : undefined} data-alert=${alert.id} data-state=${alert.state} onClick=${() => onSelect(alert.id)}>
      <span class="title">${alert.name} <code>${place(alert)}</code></span>
      <span class="chip state ${alert.severity === "critical" ? "bad" : alert.severity === "warning" ? "warn" : "busy"}">${SEVERITIES[alert.severity]}</span>
      <span class="sub">${alert.annotations.summary ?? ""}</span>
      <span class="flags"><${Flags} alert=${alert} /></span>
    </button></li>`;
}

function Flags({ alert }) {
  const flags = [
    [alert.acknowledged, t("acknowledged")],
    [alert.silenced.length > 0, t("silenced")],
    [alert.inhibited, t("inhibited")],
    [alert.flapping, t("flapping")],
    [alert.missing, t("no data")],
  ];
  return flags.filter(([on]) => on).map(([, text]) => html`<span key=${text} class="chip">${text}</span>`);
}

function AlertView({ shell, alert, moved }) {
  const { id } = alert;
  const [note, act] = useAct(shell, id);
  const [comment, setComment] = useState("");
  const [silencing, setSilencing] = useState(false);
  const changes = useAsked(shell, "alerts.history", { alert: id, limit: 50 });
  const decisions = useAsked(shell, "alerts.decisions", { alert: id, limit: 50 }, { every: EVERY });
  useEffect(() => {
    changes.again();
    decisions.again();
  }, [moved]);
  const [word, look] = STATES[alert.state] ?? [alert.state, "busy"];
  const open = alert.state !== "resolved";
  const acknowledge = (event) => {
    event.preventDefault();
    act("alerts.acknowledge", { id, body: { comment: comment.trim() } }, t("Acknowledged."), () => setComment(""));
  };
  const told = alert.acknowledged;
  return html`<article>
    <header class="head">
      <p class="kicker">${SEVERITIES[alert.severity]}</p>
      <h1>${alert.name} <span class="chip state ${look}">${word}</span> <${Flags} alert=${alert} /></h1>
      <p>${alert.annotations.summary ?? ""}</p>
      <p class="facts">
        ${alert.value !== null && html`<span>${t("value")} ${figure(alert.value)}</span>`}
        <span>${t("since")} <${Moment} at=${alert.active_at} /></span>
        ${alert.fired_at && html`<span>${t("fired")} <${Moment} at=${alert.fired_at} /></span>`}
        ${alert.resolved_at && html`<span>${t("resolved")} <${Moment} at=${alert.resolved_at} /></span>`}
      </p>
      <p class="labels">${Object.entries(alert.labels).map(([name, value]) => html`<code key=${name}>${name}="${value}"</code>`)}</p>
      ${told && html`<p class="facts">${t("Acknowledged by {by}", { by: told.by })}${told.comment && `: ${told.comment}`}</p>`}
      ${alert.inhibited && html`<p class="facts">${t("Explained by {alert}", { alert: alert.inhibited })}</p>`}
    </header>
    ${shell.operates && html`
      <form class="actions" onSubmit=${acknowledge} aria-label=${t("Actions")}>
        ${open && !told && html`<label class="inline">${t("Comment")} <input value=${comment} maxlength="500" onInput=${({ target }) => setComment(target.value)} /></label><button type="submit" class="primary">${t("Acknowledge")}</button>`}
        ${open && told && html`<${TwoStep} text=${t("Take back")} confirm=${t("Confirm take back")} onAct=${() => act("alerts.unacknowledge", { id }, t("Taken back."))} />`}
        <button type="button" aria-expanded=${silencing} onClick=${() => setSilencing(!silencing)}>${t("Silence")}</button>
      </form>
      <${Note} note=${note} />
      ${silencing && html`<${SilenceForm} ...${{ shell, alert }} onDone=${() => setSilencing(false)} />`}`}
    <h2>${t("Why notices were sent or not")}</h2>
    <${Problem} error=${decisions.error} />
    <${Table} label=${t("Decisions")} none=${t("Nothing has been decided about it yet.")} keys=${decisions.body?.items.map((row) => row.id)}
      head=${[t("At"), t("About"), t("Decision"), t("Reason"), t("Receiver")]}
      rows=${(decisions.body?.items ?? []).map((row) => {
        const [text, colour] = DECISIONS[row.decision] ?? [row.decision, "busy"];
        return [html`<${Moment} at=${row.at} />`, STATES[row.state]?.[0] ?? row.state ?? "", html`<span class="chip state ${colour}">${text}</span>`, inWords(row.reason ?? row.error ?? ""), row.receiver ?? ""];
      })} />
    <h2>${t("History")}</h2>
    <${Problem} error=${changes.error} />
    <${Table} label=${t("History")} none=${t("Nothing yet.")} keys=${changes.body?.items.map((row) => row.id)}
      head=${[t("At"), t("Before"), t("After"), t("Value")]}
      rows=${(changes.body?.items ?? []).map((row) => [html`<${Moment} at=${row.at} />`, STATES[row.before]?.[0] ?? row.before, STATES[row.after]?.[0] ?? row.after, figure(row.value)])} />
  </article>`;
}

// Silences: what keeps the notices of some labels back for a time.

import { html, useEffect, useState } from "htm/preact";
import { t } from "./i18n.js";
import { Table } from "./table.js";
import { duration, Moment, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const HOUR = 3600;
const TIMES = [HOUR / 2, HOUR, 4 * HOUR, 24 * HOUR, 7 * 24 * HOUR]; // s

/** Begins a silence of alerts with the labels that are ticked. */
export function SilenceForm({ shell, alert, onDone }) {
  const labels = Object.entries(alert.labels);
  const [chosen, setChosen] = useState(new Set(labels.map(([name]) => name)));
  const [seconds, setSeconds] = useState(HOUR);
  const [comment, setComment] = useState("");
  const [note, act] = useAct(shell, alert.id);
  const pick = (name, on) => {
    const next = new Set(chosen);
    if (on) next.add(name);
    else next.delete(name);
    setChosen(next);
  };
  const begin = (event) => {
    event.preventDefault();
    const matchers = labels.filter(([name]) => chosen.has(name)).map(([name, value]) => ({ name, value }));
    const ends_at = new Date(Date.now() + seconds * 1000).toISOString();
    act("alerts.silences.create", { body: { matchers, ends_at, comment: comment.trim() } }, t("Silenced."), onDone);
  };
  return html`
    <form class="silence" onSubmit=${begin} aria-label=${t("Silence")}>
      <fieldset><legend>${t("Alerts with")}</legend>
        ${labels.map(([name, value]) => html`<label key=${name} class="inline"><input type="checkbox" checked=${chosen.has(name)} onChange=${({ target }) => pick(name, target.checked)} /><code>${name}="${value}"</code></label>`)}
      </fieldset>
      <label class="inline">${t("for")} <select value=${seconds} onChange=${({ target }) => setSeconds(Number(target.value))}>
        ${TIMES.map((time) => html`<option key=${time} value=${time}>${duration(time)}</option>`)}
      </select></label>
      <label class="inline">${t("Comment")} <input value=${comment} maxlength="500" onInput=${({ target }) => setComment(target.value)} /></label>
      <button type="submit" class="primary" disabled=${chosen.size === 0}>${t("Begin silence")}</button>
    </form>
    <${Note} note=${note} />`;
}

export function Silences({ shell, moved }) {
  const { body, error, again } = useAsked(shell, "alerts.silences", {});
  const [note, act] = useAct(shell, "silences");
  useEffect(() => void again(), [moved]);
  const items = body?.items ?? [];
  const end = (id) => act("alerts.silences.end", { id }, t("Ended."), again);
  return html`
    <h2>${t("Silences")}</h2>
    <${Problem} error=${error} /><${Note} note=${note} />
    <${Table} label=${t("Silences")} none=${t("Nothing is silenced.")} keys=${items.map(({ id }) => id)}
      head=${[t("Alerts with"), t("Until"), t("By"), t("Comment"), ""]}
      rows=${items.map((one) => [
        html`<span class="labels">${one.matchers.map(({ name, value, regex }) => html`<code key=${name}>${name}${regex ? "=~" : "="}"${value}"</code>`)}</span>`,
        html`<${Moment} at=${one.ends_at} />`,
        one.by,
        one.comment,
        shell.operates && html`<${TwoStep} text=${t("End")} confirm=${t("Confirm end")} onAct=${() => end(one.id)} />`,
      ])} />`;
}

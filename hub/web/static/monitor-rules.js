// Alert rules: switched on and off, written, and tried on what was measured before they are saved.

import { html, useEffect, useState } from "htm/preact";
import { t } from "./i18n.js";
import { SEVERITIES, STATES } from "./monitor-alerts.js";
import { Table } from "./table.js";
import { Moment, Note, QueryProblem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const EVERY = 5_000; // ms between two looks at the rules' health
const SHOWN = 200; // changes of a test run that are shown
const SPANS = { 3600: t("the last hour"), 21600: t("the last 6 hours"), 86400: t("the last day") }; // s
const HEALTH = { ok: [t("ok"), "good"], error: [t("error"), "bad"], nodata: [t("no data"), "busy"] };
const MISSING = { hold: t("keep the state"), resolve: t("resolve"), fire: t("fire") };
const NEW = { name: "", expr: "", for: 0, keep_firing_for: 0, clear_expr: null, on_missing: "hold", severity: "warning", interval: 15, labels: {}, annotations: {}, enabled: true };
const CLOSED = { id: null, editor: 0, made: null }; // the rule ("" is a new one), which editor has it, and what it made until the list has that
const OWN = ["id", "health", "error", "burning"]; // of the hub, not of a rule

export function RulesTab({ shell, moved }) {
  const { body, error, again } = useAsked(shell, "alerts.rules", {}, { every: EVERY });
  const [note, act] = useAct(shell, "rules");
  const [edited, setEdited] = useState(CLOSED);
  useEffect(() => void again(), [moved]);
  const rules = body?.items ?? [];
  const { id, made } = edited;
  const rule = id === "" ? NEW : (rules.find((one) => one.id === id) ?? made);
  useEffect(() => {
    if (made && rules.some((one) => one.id === id)) setEdited({ ...edited, made: null });
  }, [body]);
  const open = (wanted) => wanted !== id && setEdited({ id: wanted, editor: edited.editor + 1, made: null });
  const onKept = (kept) => {
    setEdited(kept ? { ...edited, id: kept.id, made: kept } : CLOSED);
    again();
  };
  const flip = (one) => act(one.enabled ? "alerts.rules.disable" : "alerts.rules.enable", { id: one.id }, one.enabled ? t("{name} is off.", one) : t("{name} is on.", one), again);
  return html`
    <section class="list" aria-label=${t("Rules")}>
      ${shell.operates && html`<div class="filters"><button type="button" onClick=${() => open("")}>${t("New rule")}</button></div>`}
      ${body === null && !error && html`<p class="loading">${t("Asking…")}</p>`}
      <${Note} note=${error ? { error } : note} />
      <ul class="items">
        ${rules.map((one) => {
          const [word, look] = one.enabled ? (HEALTH[one.health] ?? HEALTH.ok) : [t("off"), "warn"];
          return html`<li key=${one.id} class="rule" data-rule=${one.id}>
            <button type="button" class="item" aria-current=${one.id === id ? "true" : undefined} onClick=${() => open(one.id)}>
              <span class="title">${one.name}</span><span class="chip state ${look}">${word}</span>
              <span class="sub"><code>${one.expr}</code></span>
              ${one.burning > 0 && html`<span class="flags"><span class="chip bad">${t("{count} burning", { count: one.burning })}</span></span>`}
            </button>
            ${shell.operates && html`<label class="inline"><input type="checkbox" role="switch" checked=${one.enabled} aria-label=${t("{name} on", one)} onChange=${() => flip(one)} /></label>`}
          </li>`;
        })}
      </ul>
    </section>
    <section class="detail" aria-label=${t("Rule")}>
      ${rule
        ? html`<${Editor} key=${edited.editor} ...${{ shell, rule, onKept }} isNew=${id === ""} />`
        : html`<p class="none">${t("Choose a rule to see it, change it and try it on what was measured.")}</p>`}
    </section>`;
}

/** What a form says, as a rule; what the form does not show stays as it was. */
function written(rule, form) {
  const kept = Object.fromEntries(Object.entries(rule).filter(([name]) => !OWN.includes(name)));
  const { labels, summary, clear_expr: clear, ...fields } = form;
  const { summary: _, ...annotations } = rule.annotations;
  const time = (text) => (/^[0-9.]+$/.test(text) ? Number(text) : text); // s, or as 1m30s
  return {
    ...kept,
    ...fields,
    for: time(form.for),
    keep_firing_for: time(form.keep_firing_for),
    interval: time(form.interval),
    clear_expr: clear.trim() || null,
    labels: JSON.parse(labels || "{}"),
    annotations: summary ? { ...annotations, summary } : annotations,
  };
}

function Editor({ shell, rule, isNew, onKept }) {
  const [form, setForm] = useState({
    name: rule.name,
    expr: rule.expr,
    for: String(rule.for),
    keep_firing_for: String(rule.keep_firing_for),
    clear_expr: rule.clear_expr ?? "",
    on_missing: rule.on_missing,
    severity: rule.severity,
    interval: String(rule.interval),
    labels: Object.keys(rule.labels).length ? JSON.stringify(rule.labels) : "",
    summary: rule.annotations.summary ?? "",
  });
  const [span, setSpan] = useState("3600");
  const [trial, setTrial] = useState(null);
  const [note, act, setNote] = useAct(shell, "rule");
  const set = (name) => ({ target }) => setForm({ ...form, [name]: target.value });
  const whole = () => {
    try {
      return written(rule, form);
    } catch (error) {
      setNote({ error: new Error(`${t("Labels")}: ${error.message}`) });
      return null;
    }
  };
  const keep = (event) => {
    event.preventDefault();
    const body = whole();
    if (body && isNew) act("alerts.rules.create", { body }, t("Saved."), onKept);
    else if (body) act("alerts.rules.replace", { id: rule.id, body }, t("Saved."), onKept);
  };
  const tryOut = () => {
    const body = whole();
    if (!body) return;
    const end = Date.now();
    setTrial(null);
    act("alerts.rules.dry-run", { body, start: end - Number(span) * 1000, end }, (answer) => t("{count} changes.", { count: answer.changes.length }), setTrial);
  };
  const about = note?.error?.message?.startsWith("clear_expr") ? form.clear_expr : form.expr;
  const field = (name, text, rest = {}) => html`<label>${text}<input name=${name} value=${form[name]} onInput=${set(name)} spellcheck=${false} ...${rest} /></label>`;
  const choice = (name, text, words) => html`<label>${text}<select name=${name} value=${form[name]} onChange=${set(name)}>${Object.entries(words).map(([key, word]) => html`<option key=${key} value=${key}>${word}</option>`)}</select></label>`;
  return html`<article>
    <form class="editor" onSubmit=${keep} aria-label=${t("Rule")}>
      <h1>${isNew ? t("New rule") : rule.name}</h1>
      ${rule.error && html`<div class="problem" role="alert"><p>${rule.error}</p></div>`}
      <div class="fields">
        ${field("name", t("Name"), { required: true, disabled: !shell.operates })}
        ${choice("severity", t("Severity"), SEVERITIES)}
        <label class="wide">${t("Expression")}<textarea name="expr" class="code" rows="3" required value=${form.expr} onInput=${set("expr")} spellcheck=${false}></textarea></label>
        ${field("for", t("Must hold for"), { placeholder: "30s" })}
        ${field("keep_firing_for", t("Goes on for"), { placeholder: "1m" })}
        ${field("interval", t("Looked at every"), { placeholder: "15s" })}
        ${choice("on_missing", t("When the data is gone"), MISSING)}
        <label class="wide">${t("Ends when (optional)")}<input name="clear_expr" class="code" value=${form.clear_expr} onInput=${set("clear_expr")} spellcheck=${false} /></label>
        <label class="wide">${t("Summary")}<input name="summary" value=${form.summary} onInput=${set("summary")} /></label>
        <label class="wide">${t("Labels")}<input name="labels" class="code" value=${form.labels} onInput=${set("labels")} placeholder=${'{"team": "core"}'} spellcheck=${false} /></label>
      </div>
      ${shell.operates && html`<div class="actions">
        <button type="submit" class="primary">${t("Save")}</button>
        <button type="button" onClick=${tryOut}>${t("Test on")}</button>
        <select aria-label=${t("Time of the test")} value=${span} onChange=${({ target }) => setSpan(target.value)}>${Object.entries(SPANS).map(([key, word]) => html`<option key=${key} value=${key}>${word}</option>`)}</select>
        ${!isNew && html`<${TwoStep} text=${t("Delete")} confirm=${t("Confirm delete")} onAct=${() => act("alerts.rules.delete", { id: rule.id }, t("Deleted."), () => onKept(null))} />`}
      </div>`}
    </form>
    ${note?.error?.code === "bad-query" ? html`<${QueryProblem} error=${note.error} text=${about} />` : html`<${Note} note=${note} />`}
    ${trial && html`
      <h2>${t("What it would have done")}</h2>
      <${Table} label=${t("What it would have done")} none=${t("Nothing would have happened.")} head=${[t("At"), t("Labels"), t("Before"), t("After")]}
        rows=${trial.changes.slice(0, SHOWN).map((change) => [
          html`<${Moment} at=${change.at} />`,
          html`<span class="labels">${Object.entries(change.labels).map(([name, value]) => html`<code key=${name}>${name}="${value}"</code>`)}</span>`,
          STATES[change.before]?.[0] ?? change.before,
          STATES[change.after]?.[0] ?? change.after,
        ])} />
      ${(trial.truncated || trial.changes.length > SHOWN) && html`<p class="none">${t("Only the first {count} are shown.", { count: Math.min(SHOWN, trial.changes.length) })}</p>`}`}
  </article>`;
}

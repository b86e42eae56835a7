// Pieces that the deployments page and the monitor share: questions to the hub that are asked again, faults, tabs, actions.

import { html, useCallback, useEffect, useRef, useState } from "htm/preact";
import { clock, duration } from "./format.js";
import { coded } from "./hub-words.js";
import { language, t } from "./i18n.js";
import { TwoStep } from "./operators-panel.js";

export { duration, TwoStep };

export const DAY = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { day: "numeric", month: "short" });
const FAULTS = 12; // faults of one answer that are listed

/**
 * Gives what begins a round of *ask(counts)*, the *ask* of that time; `counts()` says whether its answer is still wanted. A round about another
 * *subject* begins at once, one about the same waits for the end of that under way: were it to outdate it, no answer that takes longer than
 * the period would ever be seen.
 */
export function useRounds(subject, ask) {
  const { current } = useRef({ round: null, due: false });
  Object.assign(current, { subject, ask });
  useEffect(() => () => (current.round = null), []);
  return useCallback(async () => {
    current.due = true;
    if (current.round?.subject === current.subject) return;
    const round = { subject: current.subject };
    const counts = () => current.round === round;
    current.round = round;
    while (counts() && current.due) {
      current.due = false;
      await current.ask(counts);
    }
    if (counts()) current.round = null;
  }, []);
}

/**
 * Ask the hub an operation, again whenever *params* or *live* change, and every *every* ms while the page is seen. Gives {body, error, again};
 * the last good body stays while a later question fails, and where the params only move on (*moving*) until they are answered. *params* null
 * asks nothing.
 */
export function useAsked(shell, method, params, { every = null, live = shell.live, moving = false } = {}) {
  const [answer, setAnswer] = useState({ subject: "", body: null, error: null });
  const key = params === null ? "" : JSON.stringify([method, params]);
  const subject = moving ? method : key;
  const again = useRounds(subject, async (counts) => {
    if (!key || !shell.live) return;
    try {
      const { body } = await shell.client.ask(method, params);
      if (counts()) setAnswer({ subject, body, error: null });
    } catch (error) {
      if (counts() && shell.live) setAnswer((old) => ({ subject, body: old.subject === subject ? old.body : null, error }));
    }
  });
  useEffect(() => {
    again();
    const timer = every && setInterval(() => document.visibilityState === "visible" && again(), every);
    return () => clearInterval(timer);
  }, [key, live, every]);
  const own = answer.subject === subject;
  return { body: own ? answer.body : null, error: own ? answer.error : null, again };
}

/**
 * What somebody has done: `act(method, params, done, then)` asks the hub; *note* says how it went, *then* goes on from there unless the reader has
 * left. The same that is under way is not done twice: a second press changes nothing. Gives [note, act, setNote].
 */
export function useAct(shell, key) {
  const [note, setNote] = useState(null);
  const { current } = useRef({ underWay: new Set(), left: false });
  useEffect(() => setNote(null), [key]);
  useEffect(() => () => (current.left = true), []);
  const act = async (method, params, done, then) => {
    const what = params.id === undefined ? method : JSON.stringify([method, params]); // of what is new a second one is a slip of the hand
    if (current.underWay.has(what)) return;
    current.underWay.add(what);
    setNote({ text: t("Under way…") });
    try {
      const answer = await shell.client.ask(method, params);
      setNote({ text: typeof done === "function" ? done(answer.body) : done });
      if (!current.left) then?.(answer.body);
    } catch (error) {
      setNote({ error });
    } finally {
      current.underWay.delete(what);
    }
  };
  return [note, act, setNote];
}

export function Note({ note }) {
  if (note?.error) return html`<${Problem} error=${note.error} />`;
  return html`<p class="note" role="status">${note?.text ?? ""}</p>`;
}

/** A refusal of the hub, with the single faults it names. */
export function Problem({ error }) {
  if (!error) return null;
  const faults = (error.errors ?? []).map((fault) => [fault.path, fault.message].filter(Boolean).join(": ")).filter((text) => text && !error.message.includes(text));
  return html`
    <div class="problem" role="alert">
      <p>${coded(error)}</p>
      ${faults.length > 0 && html`<ul>${faults.slice(0, FAULTS).map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
      ${faults.length > FAULTS && html`<p>${t("and {count} more", { count: faults.length - FAULTS })}</p>`}
    </div>`;
}

/** A refused PromQL expression, with a mark below the character where it breaks. */
export function QueryProblem({ error, text }) {
  if (!error) return null;
  const at = error.position;
  if (!Number.isInteger(at)) return html`<${Problem} error=${error} />`;
  const from = text.lastIndexOf("\n", at - 1) + 1;
  const line = text.slice(from).split("\n", 1)[0];
  const start = Math.max(0, at - from - 60);
  return html`
    <div class="problem" role="alert">
      <p>${coded(error)}</p>
      <pre aria-hidden="true">${`${line.slice(start, start + 120)}\n${" ".repeat(at - from - start)}▲`}</pre>
    </div>`;
}

/** Tabs with the keys of the ARIA pattern: arrows, Home, End. *tabs* is {name: text}. */
export function Tabs({ tabs, tab, counts = {}, label, onTab, children }) {
  const names = Object.keys(tabs);
  const go = (name) => {
    onTab(name);
    document.getElementById(`tab-${name}`).focus();
  };
  const onKeyDown = (event) => {
    const at = names.indexOf(tab);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + names.length, Home: 0, End: names.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    go(names[next % names.length]);
  };
  return html`
    <div class="tabs">
      <div role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
        ${names.map(
          (name) => html`<button key=${name} id="tab-${name}" type="button" role="tab" aria-selected=${name === tab} aria-controls="tab-body"
            tabindex=${name === tab ? 0 : -1} onClick=${() => onTab(name)}>
            ${tabs[name]}${counts[name] > 0 && html`<span class="chip">${counts[name]}</span>`}
          </button>`,
        )}
      </div>
      ${children}
    </div>`;
}

/** UNIX s, UNIX ms or RFC 3339 to ms; null stays. */
export function ms(at) {
  if (at === null || at === undefined) return null;
  return typeof at === "string" ? Date.parse(at) : at < 1e11 ? at * 1000 : at;
}

/** A time of day, with the day when it is not today's. */
export function Moment({ at }) {
  const when = ms(at);
  if (when === null) return "–";
  const date = new Date(when);
  const today = date.toDateString() === new Date().toDateString();
  return html`<time datetime=${date.toISOString()} title=${date.toLocaleString()}>${today ? "" : `${DAY.format(date)} `}${clock(when)}</time>`;
}

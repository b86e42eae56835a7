// The system log: searched a page at a time, or followed over channel `log`.

import { html, useEffect, useLayoutEffect, useRef, useState } from "htm/preact";
import { t } from "./i18n.js";
import { Moment, ms, Problem } from "./watch-parts.js";

const KEPT = 1_000; // entries that are followed
const FOUND = 2_000; // entries that are found
const PAGE = 200;
const PAUSE = 250; // ms in which nobody types
const LEVELS = { info: t("info"), warning: t("warning"), error: t("error"), critical: t("critical") };
const RANK = ["debug", ...Object.keys(LEVELS)];
const LOOKS = { warning: "warn", error: "bad", critical: "bad" };
const NONE = { level: "info", text: "", actor: "", node: "", deployment: "" };

/** As the hub does it for a search (actors/syslog.py). */
function takes(wanted, item) {
  const actor = item.actor ?? "";
  return (
    RANK.indexOf(item.level) >= RANK.indexOf(wanted.level) &&
    (!wanted.actor || actor === wanted.actor || actor.startsWith(`${wanted.actor}/`)) &&
    (!wanted.node || item.node === wanted.node) &&
    (!wanted.deployment || item.deployment === wanted.deployment) &&
    (!wanted.text || item.message.toLowerCase().includes(wanted.text.toLowerCase()))
  );
}

export function LogTab({ shell, live }) {
  const [filter, setFilter] = useState(NONE);
  const [follow, setFollow] = useState(true);
  const [log, setLog] = useState({ items: [], next: null, error: null, busy: true });
  const box = useRef(null);
  useEffect(() => (follow ? followed(shell, filter, setLog) : searched(shell, filter, setLog)), [follow, filter, live]);
  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [log.items, follow]);
  const set = (name) => ({ target }) => setFilter({ ...filter, [name]: target.value.trim() });
  const text = (name, word) => html`<label>${word}<input name=${name} value=${filter[name]} onInput=${set(name)} autocapitalize="none" spellcheck=${false} /></label>`;
  const older = () => more(shell, filter, log, setLog);
  return html`
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label>${t("Level from")}<select value=${filter.level} onChange=${set("level")}>${Object.entries(LEVELS).map(([name, word]) => html`<option key=${name} value=${name}>${word}</option>`)}</select></label>
      ${text("text", t("Text"))}${text("actor", t("Actor"))}${text("node", t("Device"))}${text("deployment", t("Deployment"))}
      <label class="inline"><input type="checkbox" checked=${follow} onChange=${({ target }) => setFollow(target.checked)} /> ${t("Follow")}</label>
    </form>
    <${Problem} error=${log.error} />
    <div class="log" ref=${box} role="log" aria-label=${t("Log")} aria-busy=${log.busy} tabindex="0" data-entries=${log.items.length}>
      <ol>${log.items.map((item) => html`<${Entry} key=${item.key} item=${item} />`)}</ol>
      ${log.items.length === 0 && html`<p class="none">${log.busy ? t("Asking…") : filter === NONE ? t("Nothing is in the log yet. What the hub says appears here at once.") : t("No entry is like that.")}</p>`}
      ${!follow && log.next && (log.items.length < FOUND ? html`<button type="button" class="more" onClick=${older}>${t("Older")}</button>` : html`<p class="none">${t("The newest {count} are shown: filter for others.", { count: FOUND })}</p>`)}
    </div>`;
}

function Entry({ item }) {
  const fields = Object.entries(item.fields ?? {});
  return html`
    <li class=${LOOKS[item.level] ?? ""} data-level=${item.level}>
      <${Moment} at=${item.at} /><span class="level">${LEVELS[item.level] ?? item.level}</span><span class="who-said">${item.actor ?? item.logger}</span>
      <span class="what">${item.message}${fields.length > 0 && html` <code>${fields.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ")}</code>`}</span>
    </li>`;
}

let count = 0;
const keyed = (item) => ({ ...item, key: (count += 1) });

const same = ({ at, logger, message }) => `${at} ${logger} ${message}`;

const oldestFirst = (a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0);

/**
 * Shows the newest entries and what comes, newest last; returns what ends that. The channel tells what the hub has in its ring, an answer what is on
 * disk: either may be here first, and much is in both.
 */
function followed(shell, filter, setLog) {
  if (!shell.live) return undefined;
  let [ring, found, problem, over, end] = [[], null, null, false, () => {}]; // the problem is the search's
  let frame = null;
  const items = () => {
    const known = new Set(ring.map(same));
    return [...(found ?? []).filter((item) => !known.has(same(item))), ...ring].sort(oldestFirst).slice(-KEPT);
  };
  const tell = (error) => over || setLog({ items: items(), next: null, error, busy: found === null && error === null });
  const show = () => (frame ??= requestAnimationFrame(() => ((frame = null), tell(problem))));
  const refused = ({ detail }) => detail.channel === "log" && tell(Object.assign(new Error(detail.detail), { code: detail.code }));
  const begin = () => {
    shell.client.addEventListener("problem", refused);
    end = shell.client.subscribe("log", {
      onReset: () => (ring = []), // it comes again
      onEvents(news) {
        ring = [...ring, ...news.filter((item) => takes(filter, item)).map(keyed)].slice(-KEPT);
        show();
      },
    });
    shell.client.ask("monitor.logs", params(filter)).then(({ body }) => {
      if (over) return;
      found = body.items.reverse().map(keyed);
      show();
    }, (error) => tell((problem = error)));
  };
  setLog({ items: [], next: null, error: null, busy: true });
  const timer = setTimeout(begin, filter === NONE ? 0 : PAUSE); // each time the whole ring comes
  return () => {
    over = true;
    clearTimeout(timer);
    end();
    shell.client.removeEventListener("problem", refused);
    cancelAnimationFrame(frame);
  };
}

/** Asks after a moment in which nobody types; newest first. */
function searched(shell, filter, setLog) {
  if (!shell.live) return undefined;
  let over = false;
  const timer = setTimeout(async () => {
    try {
      const { body } = await shell.client.ask("monitor.logs", params(filter));
      if (!over) setLog({ items: body.items.map(keyed), next: body.next, error: null, busy: false });
    } catch (error) {
      if (!over) setLog((old) => ({ ...old, error, busy: false }));
    }
  }, PAUSE);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

async function more(shell, filter, log, setLog) {
  try {
    const { body } = await shell.client.ask("monitor.logs", { ...params(filter), cursor: log.next });
    setLog((now) => (now.next === log.next ? { ...now, items: [...now.items, ...body.items.map(keyed)], next: body.next } : now));
  } catch (error) {
    setLog((now) => ({ ...now, error }));
  }
}

const params = (filter) => ({ limit: PAGE, ...Object.fromEntries(Object.entries(filter).filter(([, value]) => value)) });

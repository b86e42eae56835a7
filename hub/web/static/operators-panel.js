// What is to be seen of one actor and done about it; the event loop while none is selected. And the records below the tree.

import { html, useEffect, useState } from "htm/preact";
import { clock, duration, milliseconds, NONE, scaled } from "./format.js";
import { language, t } from "./i18n.js";
import { Status } from "./operators-tree.js";
import { WaitGraph } from "./operators-waits.js";
import { Table } from "./table.js";

const ARMED = 5_000; // ms in which the second step has to follow the first
const LONGEST = 400; // characters of a value that are shown
const NEWEST = 60; // entries of a trace that are shown
const DAY = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { day: "numeric", month: "short" });

/** The first press arms it, the second does it. */
export function TwoStep({ text, confirm, onAct, ...rest }) {
  const [armed, arm] = useState(false);
  useEffect(() => {
    if (!armed) return undefined;
    const timer = setTimeout(() => arm(false), ARMED);
    return () => clearTimeout(timer);
  }, [armed]);
  const press = () => (arm(!armed), armed && onAct());
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || !armed) return;
    event.stopPropagation();
    arm(false);
  };
  return html`<button type="button" class=${armed ? "armed" : ""} onClick=${press} onBlur=${() => arm(false)} onKeyDown=${onKeyDown} ...${rest}>
    ${armed ? confirm : text}
  </button>`;
}

export function ActorPanel({ path, summary, detail, note, onAct, onClose }) {
  const gone = !summary;
  return html`
    <header>
      <p class="kicker">${detail?.type ?? summary?.type ?? t("Actor")}</p>
      <h2>${path}</h2>
      <button type="button" class="close" aria-label=${t("Close")} title=${t("Close (Esc)")} onClick=${onClose}>×</button>
    </header>
    <p class="facts">
      ${gone ? html`<span class="chip bad">${t("gone")}</span>` : html`<${Status} status=${summary.status} />`}
      ${summary?.stuck && html`<span class="chip bad">${t("stuck in {message}", { message: summary.current ?? t("a message") })}</span>`}
      ${detail && !gone && html`<span>${t("up {time}, generation {number}", { time: duration(detail.uptime), number: detail.generation })}</span>`}
    </p>
    ${!gone && html`<${Actions} key=${path} ...${{ summary, onAct }} />`}
    <p class="note ${note?.bad ? "bad" : ""}" role=${note?.bad ? "alert" : "status"}>${note?.text ?? ""}</p>
    ${detail && html`<${Detail} detail=${detail} />`}`;
}

function Actions({ summary, onAct }) {
  const { status, tracing } = summary;
  const act = (name) => () => onAct(name);
  return html`
    <div class="actions" role="group" aria-label=${t("Actions")}>
      <${TwoStep} key="restart" text=${t("Restart")} confirm=${t("Confirm restart")} onAct=${act("restart")} />
      ${
        status === "suspended"
          ? html`<button key="resume" type="button" onClick=${act("resume")}>${t("Resume")}</button>`
          : html`<${TwoStep} key="suspend" text=${t("Suspend")} confirm=${t("Confirm suspend")} onAct=${act("suspend")} disabled=${status !== "running"} />`
      }
      <${TwoStep} key="drain" text=${t("Drain")} confirm=${t("Confirm drain")} onAct=${act("drain")} title=${t("Finish what is queued, then stop for good")} />
      <button key="trace" type="button" onClick=${act("trace")} title=${t("Record what it handles for a minute")}>${tracing ? t("Trace anew") : t("Trace")}</button>
    </div>`;
}

function Detail({ detail }) {
  const { mailbox, times, state, window: changes, trace, last_error: error, stack } = detail;
  const kinds = Object.entries(times).sort(([, a], [, b]) => b.handle.count - a.handle.count);
  const dropped = Object.entries(mailbox.dropped);
  return html`
    <dl class="figures">
      <${Figure} name=${t("Processed")} value=${detail.processed} note=${t("of {count} sent", { count: detail.sent })} />
      <${Figure} name=${t("Mailbox")} value="${mailbox.length}/${mailbox.capacity}" note=${t("most {count}, {overflow}", { count: mailbox.high_water, overflow: mailbox.overflow })} />
      <${Figure} name=${t("Restarts")} value=${detail.restarts} note=${t("{count} in the window", { count: detail.restarts_in_window })} bad=${detail.backoff_for > 0} />
      <${Figure} name=${t("Dead letters")} value=${detail.dead} note=${dropped.map(([why, n]) => `${n} ${why}`).join(", ")} bad=${detail.dead > 0} />
    </dl>
    ${error && html`<h3>${t("Last error")}</h3><pre class="error">${error}</pre>`}
    ${stack.length > 0 && html`<h3>${t("Stuck at")}</h3><pre>${stack.join("\n")}</pre>`}
    <h3>${t("Inner state")}</h3>
    ${
      Object.keys(state ?? {}).length === 0
        ? html`<p class="none">${t("It shows none.")}</p>`
        : html`<dl class="values">${Object.entries(state).map(([key, value]) => html`<dt key=${key}>${key}</dt><dd><code>${shown(value)}</code></dd>`)}</dl>`
    }
    <h3>${t("Changed in the last 5 s")}</h3>
    <${Table} head=${[t("At"), t("What"), t("From → to"), t("By")]} none=${t("Nothing.")}
      rows=${[...changes].reverse().map(({ at, key, before, after, cause }) => [clock(at * 1000), key, `${shown(before)} → ${shown(after)}`, cause])} />
    <h3>${t("Times per message")}</h3>
    <${Table} head=${[t("Message"), t("Count"), t("Wait p95"), "p50", "p95", "p99"]} none=${t("It has handled nothing yet.")} numbers
      rows=${kinds.map(([kind, { wait, handle }]) => [kind, handle.count, ...[wait.p95, handle.p50, handle.p95, handle.p99].map(milliseconds)])} />
    <h3>${t("Trace")}</h3>
    <${Table} head=${[t("At"), t("Message"), t("From"), t("Wait"), t("Handled"), t("Outcome")]} none=${t("None recorded: press Trace.")}
      rows=${trace.slice(-NEWEST).reverse().map((t) => [clock(t.at * 1000), t.type, t.sender || NONE, milliseconds(t.wait), milliseconds(t.handle), t.outcome])} />
    ${trace.length > NEWEST && html`<p class="none">${t("The newest {count} of {all}.", { count: NEWEST, all: trace.length })}</p>`}`;
}

export function LoopPanel({ lag, blocks, health }) {
  return html`
    <header><p class="kicker">${t("The hub")}</p><h2>${t("Event loop")}</h2></header>
    <p class="facts">${t("How late it ran its callbacks in the last minute.")}</p>
    <dl class="figures">
      <${Figure} name=${t("Lag p50")} value=${milliseconds(lag?.p50)} />
      <${Figure} name=${t("Lag p99")} value=${milliseconds(lag?.p99)} bad=${lag?.p99 > 0.1} />
      <${Figure} name=${t("Worst")} value=${milliseconds(lag?.max)} bad=${lag?.max > 0.25} />
      <${Figure} name=${t("Samples")} value=${lag?.samples ?? NONE} />
    </dl>
    <h3>${t("Blocked by")}</h3>
    <${Table} head=${[t("At"), t("Actor"), t("Message"), t("For")]} none=${t("Nothing has held it.")}
      rows=${(blocks ?? []).map((b) => [clock(b.at * 1000), b.actor || NONE, b.message || NONE, milliseconds(b.seconds)])} />
    <${Stores} health=${health} />
    <p class="none hint">${t("Select an actor to see its state and what may be done about it.")}</p>`;
}

// ---- the records below the tree

const TABS = { audit: t("Audit log"), letters: t("Dead letters"), waits: t("Waits"), clients: t("Clients") };

export function Records({ tab, onTab, audit, letters, waits, clients, onReplay, onDisconnect, note }) {
  const counts = { letters: letters?.total, waits: waits?.length, clients: clients?.length };
  const names = Object.keys(TABS);
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = names[(names.indexOf(tab) + step + names.length) % names.length];
    onTab(next);
    document.getElementById(`tab-${next}`).focus();
  };
  const body = { audit: () => auditTable(audit), letters: () => letterTable(letters, onReplay), waits: () => waitTable(waits), clients: () => clientTable(clients, onDisconnect) }[tab];
  return html`
    <div class="tabs" role="tablist" aria-label=${t("Records")} onKeyDown=${onKeyDown}>
      ${names.map(
        (name) => html`<button key=${name} id="tab-${name}" type="button" role="tab" aria-selected=${name === tab} aria-controls="records-body"
          tabindex=${name === tab ? 0 : -1} onClick=${() => onTab(name)}>
          ${TABS[name]}${counts[name] > 0 && html`<span class="chip">${counts[name]}</span>`}
        </button>`,
      )}
      ${note && html`<p class="note ${note.bad ? "bad" : ""}" role=${note.bad ? "alert" : "status"}>${note.text}</p>`}
    </div>
    <div id="records-body" role="tabpanel" aria-labelledby="tab-${tab}" tabindex="0">${body()}</div>`;
}

const auditTable = (items) =>
  html`<${Table} head=${[t("At"), t("Who"), t("From"), t("Did"), t("To"), t("Outcome")]} none=${items === null ? t("Asking…") : t("Nobody has done anything yet.")}
    rows=${(items ?? []).map((e) => [moment(e.at), e.author, e.remote || NONE, e.action, e.target, outcome(e.outcome)])}
    keys=${items?.map(({ id }) => id)} />`;

const letterTable = (letters, onReplay) =>
  html`<${Table} head=${[t("At"), t("To"), t("From"), t("Why"), t("Message"), ""]} none=${letters === null ? t("Asking…") : t("Every message has been processed.")}
    rows=${(letters?.items ?? []).map((l) => [
      moment(l.at),
      l.to,
      l.sender || NONE,
      l.reason,
      html`<code title=${l.message}>${l.type}</code>${l.error && html`<small>${l.error}</small>`}`,
      l.replayable && html`<${TwoStep} text=${t("Replay")} confirm=${t("Confirm replay")} onAct=${() => onReplay(l.id)} />`,
    ])}
    keys=${letters?.items.map(({ id }) => id)} />`;

const waitTable = (items) =>
  html`<${WaitGraph} waits=${items ?? []} />
    <${Table} head=${[t("Who waits"), t("For"), t("Message"), t("Since"), t("Gives up in")]} none=${items === null ? t("Asking…") : t("Nobody waits for anybody.")}
    rows=${(items ?? []).map((w) => [job(w.asker, w.job), job(w.target, w.answering), w.message, duration(w.age), w.left === null ? NONE : duration(w.left)])} />`;

const clientTable = (items, onDisconnect) =>
  html`<${Table} head=${[t("User"), t("Address"), t("Since"), t("Channels"), t("Waits to be sent"), t("Spared"), ""]} none=${items === null ? t("Asking…") : t("Nobody is connected.")}
    rows=${(items ?? []).map((c) => [
      html`${c.user} <span class="chip">${t(c.role)}</span>`,
      c.address,
      duration(c.age),
      html`${c.subscriptions.join(", ")}${c.lagging.length > 0 && html` <span class="chip bad">${t("behind: {channels}", { channels: c.lagging.join(", ") })}</span>`}`,
      scaled(c.backlog, "B"),
      c.conflated,
      html`<${TwoStep} text=${t("Disconnect")} confirm=${t("Confirm disconnect")} onAct=${() => onDisconnect(c.id)} />`,
    ])}
    keys=${items?.map(({ id }) => id)} />`;

function Stores({ health }) {
  if (!health) return null;
  const { databases, redis } = health;
  return html`
    <h3>${t("Stores")}</h3>
    <${Table} head=${[t("Store"), t("State"), t("Answers in"), t("Size")]} none=""
      rows=${[
        ...databases.map((one) => [one.name, outcomeOf(one.ok, one.why), milliseconds(one.answers_in), scaled(one.bytes, "B")]),
        ["Redis", redis.configured ? outcomeOf(redis.ok, redis.why) : t("not used"), NONE, NONE],
      ]} />`;
}

const outcomeOf = (ok, why) => (ok ? t("well") : html`<span class="chip bad">${why}</span>`);

// ---- small change

function Figure({ name, value, note, bad }) {
  return html`<div class=${bad ? "bad" : ""}><dt>${name}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`;
}

function shown(value) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? NONE);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function moment(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return html`<time datetime=${text}>${today ? "" : `${DAY.format(at)} `}${clock(at.getTime())}</time>`;
}

const job = (path, name) => (name ? `${path} (${name})` : path);
const outcome = (text) => (text === "ok" ? text : html`<span class="chip bad">${text}</span>`);

// The gates of a deployment: what was looked at after each wave, what was found, and the figures meanwhile.

import { html, useEffect, useState } from "htm/preact";
import { bitrate, clock, NONE } from "./format.js";
import { inWords } from "./hub-words.js";
import { t } from "./i18n.js";
import { duration, ms, Problem, useAsked } from "./watch-parts.js";

const [WIDTH, HEIGHT] = [600, 70];
const [BEFORE, AFTER] = [20_000, 20_000]; // ms drawn around the deployment
const POINTS = 240;
const EVERY = 2_000; // ms between two looks while it goes on

/** What was looked at after each wave and what was found, from what the deployment tells of itself. */
function gatesOf(events) {
  const gates = [];
  let open = null;
  for (const event of events) {
    if (event.state === "gating" && event.device === null && event.wave !== null) {
      open = { wave: event.wave, at: event.at, message: event.message, verdict: "looking", finding: "", seconds: null };
      gates.push(open);
    } else if (open && event.state !== "gating") {
      const closed = event.state === "rolling_back";
      Object.assign(open, {
        verdict: !closed ? (event.state === "cancelling" ? "left" : "passed") : event.message === STOPPED ? "stopped" : "closed",
        finding: closed ? event.message : "",
        seconds: event.at - open.at,
      });
      open = null;
    }
  }
  return gates;
}

const STOPPED = "the hub stopped before this was decided";
const VERDICTS = { looking: [t("looking"), "busy"], passed: [t("passed"), "good"], closed: [t("closed"), "bad"], left: [t("left: it was cancelled"), "warn"], stopped: [t("left: the hub stopped"), "warn"] };

export function Gates({ shell, known, events }) {
  const gates = gatesOf(events);
  if (gates.length === 0) return null;
  return html`
    <h2>${t("Gates")}</h2>
    <${Charts} ...${{ shell, known, gates }} />
    <ul class="gates">
      ${gates.map(({ wave, message, verdict, finding, seconds }) => {
        const [text, look] = VERDICTS[verdict];
        return html`<li key=${wave}>
          <span>${t("After wave {number}", { number: wave + 1 })}</span>
          <span class="chip state ${look}">${text}</span>
          <span class="sub">${seconds === null ? inWords(message) : t("after {time}", { time: duration(seconds) })}</span>
          ${finding && html`<p class="finding">${inWords(finding)}</p>`}
        </li>`;
      })}
    </ul>`;
}

const GUARD = { query: "8 * sum(rate(paranet_flow_delivered_bytes_total[5s]))", unit: bitrate, text: t("Traffic delivered") };

/** PromQL for what a gate reads of a condition (actors/gates.py): the mean over the series, of a counter its growth a second. */
function watched({ metric, query, node }) {
  if (query !== null) return query;
  const series = `${metric}${node === null ? "" : `{node=${JSON.stringify(node)}}`}`;
  return metric.endsWith("_total") ? `irate(${series}[5s])` : series;
}

const figure = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : NONE);
const told = ({ metric, query, node, op, threshold }) => `${query ?? metric}${node === null ? "" : ` (${node})`} ${op} ${figure(threshold)}`;

/** What the network delivered while the gates looked, and what each condition looked at with its threshold; all over the same time. */
function Charts({ shell, known, gates }) {
  const ended = ms(known.ended_at);
  const last = ended === null ? Infinity : ended + AFTER;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (now > last) return undefined;
    const timer = setInterval(() => setNow(Date.now()), EVERY);
    return () => clearInterval(timer);
  }, [last, now > last]);
  const from = wholeSecond(ms(known.started_at) - BEFORE);
  const to = wholeSecond(Math.min(now, last));
  const common = { shell, gates, from, to, over: now > last };
  return html`
    <${Chart} ...${{ ...GUARD, ...common }} />
    ${(known.conditions ?? []).map((condition, i) => html`<${Chart} key=${i} query=${watched(condition)} text=${told(condition)} unit=${figure} threshold=${condition.threshold} ...${common} />`)}`;
}

const wholeSecond = (at) => 1000 * Math.round(at / 1000);

/** The mean of several series at each time that any of them has. */
function mean(series) {
  const sums = new Map();
  for (const { points } of series) {
    for (const [at, value] of points) {
      if (!Number.isFinite(value)) continue;
      const [sum, count] = sums.get(at) ?? [0, 0];
      sums.set(at, [sum + value, count + 1]);
    }
  }
  return [...sums].sort(([a], [b]) => a - b).map(([at, [sum, count]]) => [at, sum / count]);
}

function Chart({ shell, query, text, unit, threshold = null, gates, from, to, over }) {
  const step = 1000 * Math.max(1, Math.ceil((to - from) / 1000 / POINTS));
  const { body, error } = useAsked(shell, "monitor.metrics", { query, start: from, end: to, step }, { moving: true });
  const points = mean(body?.series ?? []);
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(0, threshold ?? 0, ...values), Math.max(0, threshold ?? 0, ...values)];
  const [bottom, top] = [low * 1.08, high * 1.08 || (low < 0 ? 0 : 1)];
  const x = (at) => Number(((WIDTH * (at - from)) / (to - from)).toFixed(1));
  const y = (value) => Number((HEIGHT - 1 - ((HEIGHT - 2) * (value - bottom)) / (top - bottom)).toFixed(1));
  const nothing = body === null ? t("Asking…") : over ? t("Nothing was measured then.") : t("Nothing is measured yet.");
  return html`
    <figure class="gate-chart" data-query=${query} data-points=${points.length} data-value=${values.at(-1)}>
      <figcaption><span>${text}</span><span>${unit(values.at(-1))}</span></figcaption>
      ${points.length < 2
        ? error ? html`<${Problem} error=${error} />` : html`<p class="none">${nothing}</p>`
        : html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${text}>
            ${gates.map(({ wave, at, seconds, verdict }) => html`<rect key=${wave} class=${verdict} x=${x(at * 1000)} width=${Math.max(2, x(seconds === null ? to : (at + seconds) * 1000) - x(at * 1000))} height=${HEIGHT} />`)}
            ${threshold !== null && html`<line class="threshold" x1="0" x2=${WIDTH} y1=${y(threshold)} y2=${y(threshold)} />`}
            <path d="M${points.map(([at, value]) => `${x(at)} ${y(value)}`).join("L")}" />
          </svg>
          <figcaption><span>${clock(from)}</span><span>${t("up to {value}", { value: unit(Math.max(...values)) })}</span><span>${clock(to)}</span></figcaption>`}
    </figure>`;
}

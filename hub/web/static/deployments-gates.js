// The gates of a deployment: what was looked at after each wave, what was found, and the traffic meanwhile.

import { html, useEffect, useRef, useState } from "htm/preact";
import { bitrate, clock } from "./format.js";
import { t } from "./i18n.js";
import { duration, ms, useAsked } from "./watch-parts.js";

const [WIDTH, HEIGHT] = [600, 70];
const [BEFORE, AFTER] = [20, 20]; // s drawn around the deployment
const POINTS = 240;
const EVERY = 2_000; // ms between two looks while it goes on

/** What was looked at after each wave and what was found, from the log. */
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
        verdict: closed ? "closed" : event.state === "cancelling" ? "left" : "passed",
        finding: closed ? event.message : "",
        seconds: event.at - open.at,
      });
      open = null;
    }
  }
  return gates;
}

const VERDICTS = { looking: [t("looking"), "busy"], passed: [t("passed"), "good"], closed: [t("closed"), "bad"], left: [t("left: it was cancelled"), "warn"] };

export function Gates({ shell, known, events }) {
  const gates = gatesOf(events);
  if (gates.length === 0) return null;
  return html`
    <h2>${t("Gates")}</h2>
    <${Flows} ...${{ shell, known, gates }} />
    <ul class="gates">
      ${gates.map(({ wave, message, verdict, finding, seconds }) => {
        const [text, look] = VERDICTS[verdict];
        return html`<li key=${wave}>
          <span>${t("After wave {number}", { number: wave + 1 })}</span>
          <span class="chip state ${look}">${text}</span>
          <span class="sub">${seconds === null ? message : t("after {time}", { time: duration(seconds) })}</span>
          ${finding && html`<p class="finding">${finding}</p>`}
        </li>`;
      })}
    </ul>`;
}

/** What the network delivered while the gates looked: the figure that closes most of them. */
function Flows({ shell, known, gates }) {
  const ended = ms(known.ended_at);
  const from = Math.floor(ms(known.started_at) / 1000) - BEFORE;
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (now / 1000 > (ended ?? Infinity) / 1000 + AFTER) return undefined;
    const timer = setInterval(() => setNow(Date.now()), EVERY);
    return () => clearInterval(timer);
  }, [ended, now > (ended ?? Infinity) + AFTER * 1000]);
  const to = Math.ceil(Math.min(now, ended === null ? now : ended + AFTER * 1000) / 1000);
  const step = Math.max(1, Math.ceil((to - from) / POINTS));
  const asked = (metric) => ({ query: `8 * sum(rate(${metric}[5s]))`, start: String(from), end: String(to), step: String(step) });
  const delivered = useAsked(shell, "monitor.metrics", asked("paranet_flow_delivered_bytes_total"));
  const last = useRef([]);
  if (delivered.body) last.current = delivered.body.series[0]?.points ?? [];
  const points = last.current;
  if (points.length < 2) return html`<p class="none">${delivered.error ? delivered.error.message : t("There is no traffic to draw yet.")}</p>`;
  const top = Math.max(...points.map(([, value]) => value)) * 1.08 || 1;
  const x = (at) => (WIDTH * (at / 1000 - from)) / (to - from);
  const y = (value) => HEIGHT - 1 - (HEIGHT - 2) * (value / top);
  const trace = points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  return html`
    <figure class="gate-chart">
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${t("Traffic delivered around the gates")}>
        ${gates.map(({ wave, at, seconds, verdict }) => html`<rect key=${wave} class=${verdict} x=${x(at * 1000)} width=${Math.max(2, x((at + (seconds ?? 0)) * 1000) - x(at * 1000))} height=${HEIGHT} />`)}
        <path d="M${trace}" />
      </svg>
      <figcaption><span>${clock(from * 1000)}</span><span>${t("delivered, up to {rate}", { rate: bitrate(top / 1.08) })}</span><span>${clock(to * 1000)}</span></figcaption>
    </figure>`;
}

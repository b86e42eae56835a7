// The charts: one for the expression that is asked for, and the ready panels. All show the same time; while it ends now they follow it.

import { html, useEffect, useState } from "htm/preact";
import { t } from "./i18n.js";
import { aligned, Chart, SERIES_MOST } from "./monitor-chart.js";
import { Moment, QueryProblem, useRounds } from "./watch-parts.js";

const RANGES = { "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "6h": 21_600_000, "24h": 86_400_000, "7d": 604_800_000 };
const POINTS = 240; // of a series, about
const FASTEST = 2_000; // ms between two looks while the charts follow
const SHORTEST = 10_000; // ms that can be zoomed to

const fullest = (expr, by, metric) => (range) => `${expr} and topk(10, max by (${by}) (max_over_time(${metric}[${range}] @ end())))`;
const PANELS = [
  {
    id: "load",
    title: t("Link load, the ten fullest"),
    unit: "ratio",
    queries: [{ expr: fullest("max by (link) (paranet_link_utilization_ratio)", "link", "paranet_link_utilization_ratio") }],
  },
  {
    id: "cpu",
    title: t("Node CPU, the ten busiest"),
    unit: "ratio",
    queries: [{ expr: fullest("max by (node) (paranet_node_cpu_ratio)", "node", "paranet_node_cpu_ratio") }],
  },
  {
    id: "drops",
    title: t("Packets dropped"),
    unit: "packets",
    queries: [
      { expr: (_, window) => `sum by (reason) (rate(paranet_node_dropped_packets_total[${window}]))` },
      { expr: (_, window) => `sum(rate(paranet_link_dropped_packets_total[${window}]))`, name: t("on links") },
    ],
  },
  {
    id: "flows",
    title: t("Flows, offered and delivered"),
    unit: "bits",
    queries: [
      { expr: (_, window) => `8 * sum(rate(paranet_flow_offered_bytes_total[${window}]))`, name: t("offered") },
      { expr: (_, window) => `8 * sum(rate(paranet_flow_delivered_bytes_total[${window}]))`, name: t("delivered") },
    ],
  },
];

export function Charts({ shell, query, onQuery, live }) {
  const [range, setRange] = useState("15m");
  const [zoomed, setZoomed] = useState(null); // [from, to] in ms; null follows the clock
  const [follow, setFollow] = useState(true);
  const [now, setNow] = useState(Date.now());
  const [from, to] = zoomed ?? [now - RANGES[range], now];
  const step = Math.max(1000, Math.ceil((to - from) / POINTS / 1000) * 1000);
  useEffect(() => {
    if (zoomed || !follow || !live) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && setNow(Date.now()), Math.max(FASTEST, step));
    return () => clearInterval(timer);
  }, [zoomed === null, follow, live, step]);
  const choose = (name) => {
    setRange(name);
    setZoomed(null);
    setNow(Date.now());
  };
  const zoom = (low, high) => setZoomed(high - low < SHORTEST ? [(low + high - SHORTEST) / 2, (low + high + SHORTEST) / 2] : [low, high]);
  const scale = (factor, shift = 0) => {
    const [middle, half] = [(from + to) / 2 + shift * (to - from), ((to - from) * factor) / 2];
    zoom(middle - half, Math.min(middle + half, Date.now()));
  };
  const chosen = String(zoomed ?? range); // the clock moves the range, only people choose another
  const shown = { shell, live, chosen, step, window: `${Math.max(15, Math.ceil((4 * step) / 1000))}s`, range: [Math.floor(from / step) * step, Math.floor(to / step) * step], onZoom: zoom };
  return html`
    <div class="toolbar" role="toolbar" aria-label=${t("Time shown")}>
      <span class="group">${Object.keys(RANGES).map((name) => html`<button key=${name} type="button" aria-pressed=${!zoomed && name === range} onClick=${() => choose(name)}>${name}</button>`)}</span>
      <span class="group">
        <button type="button" onClick=${() => scale(1, -0.5)} aria-label=${t("Earlier")} title=${t("Earlier")}>◀</button>
        <button type="button" onClick=${() => scale(1, 0.5)} disabled=${!zoomed} aria-label=${t("Later")} title=${t("Later")}>▶</button>
        <button type="button" onClick=${() => scale(0.5)} aria-label=${t("Zoom in")} title=${t("Zoom in")}>+</button>
        <button type="button" onClick=${() => scale(2)} aria-label=${t("Zoom out")} title=${t("Zoom out")}>−</button>
      </span>
      ${zoomed
        ? html`<span class="sub"><${Moment} at=${from} /> – <${Moment} at=${to} /></span><button type="button" onClick=${() => choose(range)}>${t("Back to now")}</button>`
        : html`<label class="inline"><input type="checkbox" checked=${follow} onChange=${({ target }) => setFollow(target.checked)} /> ${t("Follow")}</label>`}
      <span class="sub hint">${t("Drag across a chart to zoom in.")}</span>
    </div>
    <${QueryBox} ...${{ query, onQuery, shown }} />
    <div class="panels">${PANELS.map((panel) => html`<${Panel} key=${panel.id} panel=${panel} ...${shown} />`)}</div>`;
}

function QueryBox({ query, onQuery, shown }) {
  const [text, setText] = useState(query);
  const [names, setNames] = useState([]);
  useEffect(() => setText(query), [query]);
  useEffect(() => {
    if (!shown.live) return;
    shown.shell.client.ask("prometheus.values", { id: "__name__" }).then(
      ({ body }) => setNames(body.data ?? []),
      (error) => console.warn(`names of metrics: ${error.message}`),
    );
  }, [shown.live]);
  const run = (event) => {
    event.preventDefault();
    onQuery(text.trim());
  };
  return html`
    <form class="query" onSubmit=${run}>
      <label>PromQL<input class="code" name="promql" list="metrics" value=${text} onInput=${({ target }) => setText(target.value)} autocomplete="off" autocapitalize="none" spellcheck=${false}
        placeholder="rate(paranet_link_transmit_bytes_total[1m]) * 8" /></label>
      <datalist id="metrics">${names.slice(0, 1000).map((name) => html`<option key=${name} value=${name} />`)}</datalist>
      <button type="submit" class="primary">${t("Show")}</button>
      ${query && html`<button type="button" onClick=${() => onQuery("")}>${t("Clear")}</button>`}
    </form>
    ${query && html`<${Panel} key=${query} panel=${{ id: "own", title: query, unit: "", queries: [{ expr: () => query }] }} ...${shown} />`}`;
}

function Panel({ panel, shell, live, chosen, range, step, window, onZoom }) {
  const [found, setFound] = useState({ times: [], series: [], error: null, range: null, notes: [] });
  const round = useRounds(chosen, async (counts) => {
    if (!shell.live) return;
    try {
      const answer = await read(shell, panel, range, step, window);
      if (counts()) setFound({ ...answer, error: null, range, step });
    } catch (error) {
      if (counts() && shell.live) setFound((old) => ({ ...old, error }));
    }
  });
  useEffect(() => void round(), [chosen, ...range, step, live]);
  const { times, series, error, notes } = found;
  return html`
    <section class="chart-panel" aria-label=${panel.title} data-panel=${panel.id} data-series=${series.length}
      data-step=${found.step} data-range=${found.range ? `${found.range[0]} ${found.range[1]}` : undefined} aria-busy=${found.range === null && !error}>
      <h2>${panel.id === "own" ? html`<code>${panel.title}</code>` : panel.title}</h2>
      <${QueryProblem} error=${error} text=${panel.id === "own" ? panel.title : ""} />
      ${notes.map((note) => html`<p key=${note} class="sub">${note}</p>`)}
      ${found.range === null && !error && html`<p class="loading">${t("Asking…")}</p>`}
      ${found.range !== null && html`<${Chart} title=${panel.title} unit=${panel.unit} ...${{ times, series, onZoom }} range=${found.range} />`}
    </section>`;
}

async function read(shell, panel, [start, end], step, window) {
  const span = `${Math.max(1, Math.round((end - start) / 1000))}s`;
  const answers = await Promise.all(panel.queries.map(({ expr }) => shell.client.ask("monitor.metrics", { query: expr(span, window), start, end, step })));
  const notes = new Set();
  let times = [];
  const series = answers.flatMap(({ body }, i) => {
    for (const note of body.warnings) notes.add(note);
    const one = aligned(body.series, start, end, step, (metric) => panel.queries[i].name ?? nameOf(metric));
    times = one.times;
    return one.series;
  });
  if (series.length <= SERIES_MOST) return { times, series, notes: [...notes] };
  const last = ({ values }) => Math.abs(values.findLast((value) => value !== null) ?? 0);
  notes.add(t("The {count} largest of {all} series are shown.", { count: SERIES_MOST, all: series.length }));
  return { times, series: series.sort((a, b) => last(b) - last(a)).slice(0, SERIES_MOST), notes: [...notes] };
}

/** What tells a series from others: its only label, else all of them as PromQL writes them. */
function nameOf({ __name__: name = "", ...labels }) {
  const pairs = Object.entries(labels);
  if (!name && pairs.length === 1) return pairs[0][1];
  return `${name}${pairs.length ? `{${pairs.map(([label, value]) => `${label}="${value}"`).join(", ")}}` : ""}` || t("value");
}

// One chart: uPlot draws it, the legend below it is a list of buttons. Charts of one page share the cursor and the time shown.

import { html, useEffect, useLayoutEffect, useRef, useState } from "htm/preact";
import uPlot from "uplot";
import { bitrate, clock, NONE, packets, percent } from "./format.js";
import { t } from "./i18n.js";
import { DAY } from "./watch-parts.js";

const HEIGHT = 200;
const SYNC = "monitor";
const WHOLE_DAY = 86_400; // s
const COLOURS = 10; // of monitor.css
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, notation: "compact" });

export const SERIES_MOST = 20; // series that one chart draws; the newest largest are chosen
export const UNITS = { ratio: percent, bits: bitrate, packets, "": (value) => (Number.isFinite(value) ? NUMBER.format(value) : NONE) };

/** *series* are {name, values} on the times *times* (UNIX ms); *range* is [from, to]. */
export function Chart({ title, times, series, range, unit = "", onZoom }) {
  const [hidden, setHidden] = useState(new Set());
  const [cursor, setCursor] = useState(null);
  const [theme, setTheme] = useState(0);
  const [stage, legend, plot] = [useRef(null), useRef(null), useRef(null)];
  const say = UNITS[unit] ?? UNITS[""];
  const shape = JSON.stringify([series.map(({ name }) => name), unit, theme]);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  useEffect(() => watchTheme(() => setTheme((count) => count + 1)), []);
  useLayoutEffect(() => {
    if (series.length === 0) return undefined;
    const colours = [...legend.current.querySelectorAll("i")].map((swatch) => getComputedStyle(swatch).color);
    const drawn = new uPlot(options({ stage: stage.current, series, colours, say, range, setCursor, zoom }), data(times, series), stage.current);
    plot.current = drawn;
    const watch = new ResizeObserver(([{ contentRect }]) => drawn.setSize({ width: Math.max(120, Math.floor(contentRect.width)), height: HEIGHT }));
    watch.observe(stage.current);
    return () => {
      watch.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);
  useLayoutEffect(() => {
    const drawn = plot.current;
    if (!drawn) return;
    drawn.batch(() => {
      drawn.setData(data(times, series), false);
      drawn.setScale("x", { min: range[0] / 1000, max: range[1] / 1000 });
      series.forEach(({ name }, i) => drawn.setSeries(i + 1, { show: !hidden.has(name) }));
    });
  }, [times, series, range[0], range[1], hidden, shape]);
  const toggle = (name) => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };
  const at = cursor !== null && cursor < times.length ? cursor : null;
  return html`
    <div class="stage" ref=${stage} role="img" aria-label="${title}, ${clock(range[0])} – ${clock(range[1])}"></div>
    ${series.length === 0 && html`<p class="none">${t("No samples in this time.")}</p>`}
    <ul class="legend" ref=${legend} aria-label=${t("Series of {title}", { title })}>
      ${series.map(({ name, values }, i) => {
        const value = at === null ? values.findLast((one) => one !== null) : values[at];
        return html`<li key=${name}><button type="button" aria-pressed=${!hidden.has(name)} title=${t("Show or hide")} onClick=${() => toggle(name)}>
          <i class="colour-${i % COLOURS}" aria-hidden="true"></i><span class="name">${name}</span><span class="value">${say(value ?? NaN)}</span>
        </button></li>`;
      })}
    </ul>`;
}

const data = (times, series) => [times.map((at) => at / 1000), ...series.map(({ values }) => values)];

function options({ stage, series, colours, say, range, setCursor, zoom }) {
  const style = getComputedStyle(stage);
  const font = `12px ${style.fontFamily}`;
  const [ink, grid] = [style.color, style.borderTopColor];
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  return {
    width: Math.max(120, stage.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: SYNC, scales: ["x", null] }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: true, auto: false, min: range[0] / 1000, max: range[1] / 1000 }, y: { range: (_, low, high) => span(low, high) } },
    axes: [
      { ...axis, size: 34, values: (_, ticks) => stamps(ticks) },
      { ...axis, size: 82, values: (_, ticks) => ticks.map((value) => say(value).replace(/\.0+(?= |$)/, "")) },
    ],
    series: [{}, ...series.map(({ name }, i) => ({ label: name, stroke: colours[i], width: 1.6, points: { show: false } }))],
    hooks: {
      setCursor: [(drawn) => setCursor(drawn.cursor.idx ?? null)],
      setSelect: [
        (drawn) => {
          const { left, width } = drawn.select;
          if (width < 4) return;
          const [from, to] = [left, left + width].map((x) => Math.round(drawn.posToVal(x, "x") * 1000));
          drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          zoom.current(from, to);
        },
      ],
    },
  };
}

/** From nought, unless something is below; a line that is level lies in the middle. */
function span(low, high) {
  if (low === null || high === null) return [0, 1];
  const [bottom, top] = [Math.min(0, low), Math.max(0, high)];
  return bottom === top ? [bottom, bottom + 1] : [bottom < 0 ? bottom * 1.05 : 0, top * 1.08];
}

/** Times of day for UNIX s; a day where one begins. */
export function stamps(ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 60;
  return ticks.map((at) => {
    const time = clock(at * 1000);
    if (step >= WHOLE_DAY || time === "00:00:00") return DAY.format(at * 1000);
    return step < 60 ? time : time.slice(0, 5);
  });
}

/** Calls *changed* when the page gets other colours; returns what ends that. */
function watchTheme(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = new MutationObserver(changed);
  system.addEventListener("change", changed);
  chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    system.removeEventListener("change", changed);
    chosen.disconnect();
  };
}

/** Series of an answer of the hub on even times: {times, series}; the largest are kept where there are too many. */
export function aligned(found, from, to, step, nameOf) {
  const count = Math.floor((to - from) / step) + 1;
  const times = Array.from({ length: count }, (_, i) => from + i * step);
  const series = found.map(({ metric, points }) => {
    const values = Array(count).fill(null);
    for (const [at, value] of points) {
      const i = Math.round((at - from) / step);
      if (i >= 0 && i < count && typeof value === "number") values[i] = value;
    }
    return { name: nameOf(metric), values };
  });
  return { times, series };
}

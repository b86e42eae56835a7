// Who waits for whom, drawn: askers at the left, those who are asked further right; a ring of waits, which never ends, in red.

import { html } from "htm/preact";
import { t } from "./i18n.js";

const BOX = { height: 24, across: 44, down: 14 };
const LETTER = 7; // px
const LONGEST = 22; // letters of a path
const MOST = 60; // waits that are drawn

/** {columns: [[path]], ring: Set(path)}: each path as far right as the longest chain of waits that leads to it. */
function layered(waits) {
  const targets = new Map();
  for (const { asker, target } of waits) {
    if (!targets.has(asker)) targets.set(asker, new Set());
    if (!targets.has(target)) targets.set(target, new Set());
    targets.get(asker).add(target);
  }
  const level = new Map();
  const ring = new Set();
  const visit = (path, depth, way) => {
    if (way.includes(path)) {
      for (const one of way.slice(way.indexOf(path))) ring.add(one);
      return;
    }
    if ((level.get(path) ?? -1) >= depth) return;
    level.set(path, depth);
    for (const target of targets.get(path)) visit(target, depth + 1, [...way, path]);
  };
  const asked = new Set(waits.map(({ target }) => target));
  for (const path of targets.keys()) if (!asked.has(path)) visit(path, 0, []);
  for (const path of targets.keys()) if (!level.has(path)) visit(path, 0, []); // nothing but a ring leads there
  const columns = [];
  for (const [path, depth] of level) (columns[depth] ??= []).push(path);
  return { columns: [...columns].map((column) => column ?? []), ring };
}

/** From the right of one box to the left of another. */
function onwards(a, b, box) {
  const [x1, y1, x2, y2] = [a.x + box, a.y + BOX.height / 2, b.x, b.y + BOX.height / 2];
  return `M${x1} ${y1}C${x1 + 22} ${y1} ${x2 - 22} ${y2} ${x2} ${y2}m-6 -4l6 4l-6 4`;
}

/** Below the boxes, from the middle of one to one that is not right of it; round itself when they are the same. */
function back(a, b, box) {
  const [x1, y1, x2, y2] = [a.x + box / 2 + 12, a.y + BOX.height, b.x + box / 2 - 12, b.y + BOX.height];
  return `M${x1} ${y1}C${x1} ${y1 + 16} ${x2} ${y2 + 16} ${x2} ${y2}m-4 6l4 -6l4 6`;
}

const short = (path) => (path.length > LONGEST ? `…${path.slice(1 - LONGEST)}` : path);

export function WaitGraph({ waits }) {
  if (waits.length === 0) return null;
  const drawn = waits.slice(0, MOST);
  const { columns, ring } = layered(drawn);
  const place = new Map();
  const box = 16 + LETTER * Math.max(...columns.flat().map((path) => short(path).length));
  columns.forEach((column, i) => column.forEach((path, j) => place.set(path, { x: i * (box + BOX.across), y: j * (BOX.height + BOX.down) })));
  const width = columns.length * (box + BOX.across) - BOX.across + 2;
  const height = Math.max(...columns.map(({ length }) => length)) * (BOX.height + BOX.down);
  return html`
    <svg class="wait-graph" width=${width} height=${height} viewBox="-1 -1 ${width} ${height}" role="img" aria-label=${ring.size ? t("Wait-for graph, with a ring: {paths}", { paths: [...ring].join(", ") }) : t("Wait-for graph")}>
      ${drawn.map(({ asker, target, message }, i) => {
        const [a, b] = [place.get(asker), place.get(target)];
        return html`<path key=${i} class=${ring.has(asker) && ring.has(target) ? "ring" : ""} data-wait="${asker} ${target}" d=${a.x < b.x ? onwards(a, b, box) : back(a, b, box)}><title>${message}</title></path>`;
      })}
      ${[...place].map(
        ([path, { x, y }]) => html`<g key=${path} class=${ring.has(path) ? "ring" : ""} transform="translate(${x} ${y})">
          <rect width=${box} height=${BOX.height} rx="6" /><text x="8" y=${BOX.height / 2}>${short(path)}</text><title>${path}</title>
        </g>`,
      )}
    </svg>`;
}

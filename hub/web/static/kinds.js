// How node types and loads look: one table for the map, the panel and the legend.

import { t } from "./i18n.js";

const CIRCLE = (r) => `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
const polygon = (corners, turn) => (r) =>
  Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * i) / corners + turn;
    return `${i ? "L" : "M"}${(r * Math.cos(angle)).toFixed(2)} ${(r * Math.sin(angle)).toFixed(2)}`;
  }).join("") + "Z";
const SQUARE = polygon(4, Math.PI / 4);
const DIAMOND = polygon(4, 0);
const HEXAGON = polygon(6, Math.PI / 6);
const TRIANGLE = polygon(3, -Math.PI / 2);

export const KINDS = {
  router: { text: t("Router"), shape: CIRCLE },
  switch: { text: t("Switch"), shape: (r) => SQUARE(1.2 * r) },
  p4: { text: t("P4 switch"), shape: (r) => SQUARE(1.25 * r) },
  ndn: { text: "NDN", shape: (r) => HEXAGON(1.15 * r) },
  geo: { text: "GEO", shape: (r) => DIAMOND(1.35 * r) },
  host: { text: t("Host"), shape: (r) => TRIANGLE(1.2 * r) },
  other: { text: t("Other"), shape: (r) => CIRCLE(0.8 * r) },
};

/** The kind that draws a node type; a type of the user's own is "other". */
export function kindOf(type) {
  if (type === "p4_switch") return "p4";
  if (type.startsWith("ndn_")) return "ndn";
  if (type.startsWith("geo_")) return "geo";
  return type in KINDS ? type : "other";
}

export const LOADS = ["0", "20", "40", "60", "80"]; // % from which each step counts

/** The step of the load scale, 0 to 4. */
export const loadStep = (ratio) => Math.max(0, Math.min(4, Math.floor(ratio * 5)));

/** Class of a link: its load step, or why it has none. */
export function loadClass(link, utilization, down) {
  if (!link.enabled) return "load-off";
  if (down) return "load-down";
  return utilization === undefined ? "load-unknown" : `load-${loadStep(utilization)}`;
}

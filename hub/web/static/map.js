// The map: nodes and links in SVG, at their coordinates.

import { html } from "htm/preact";
import { percent } from "./format.js";
import { t } from "./i18n.js";
import { KINDS, kindOf, loadClass } from "./kinds.js";
import { pathOf } from "./layout.js";

const HALO = 5;

/** *scene* is what layOut and placeLabels found; *focus* is {shown, select, preview}. *children* are drawn between links and nodes. */
export function NetworkMap({ network, scene, focus, width, height, children }) {
  const nodes = [...network.nodes.values()];
  const links = [...network.links.values()].filter((link) => scene.shapes.has(link.id));
  const near = neighbourhood(network, focus.shown);
  return html`
    <svg class=${near ? "map focused" : "map"} width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group"
      aria-label=${t("Network map: nodes {nodes}, links {links}", { nodes: nodes.length, links: links.length })} onClick=${() => focus.select(null)}>
      <g class="graticule" aria-hidden="true">
        ${scene.graticule.map(
          ({ x1, y1, x2, y2, tx, ty, text }) => html`<line x1=${x1} y1=${y1} x2=${x2} y2=${y2} /><text x=${tx} y=${ty}>${text}</text>`,
        )}
      </g>
      <g>${links.map((link) => html`<${Line} key=${link.id} ...${{ network, link, scene, focus }} near=${!near || near.links.has(link.id)} />`)}</g>
      ${children}
      <g>${nodes.map((node) => html`<${Dot} key=${node.id} ...${{ network, node, scene, focus }} near=${!near || near.nodes.has(node.id)} />`)}</g>
      <g class="names" aria-hidden="true">
        ${nodes.map((node) => html`<${Name} key=${node.id} ...${{ node, scene, focus }} near=${!near || near.nodes.has(node.id)} />`)}
      </g>
    </svg>`;
}

function Line({ network, link, scene, focus, near }) {
  const shape = scene.shapes.get(link.id);
  const { x, y } = shape;
  const path = pathOf(shape);
  const [load, down] = [network.utilization(link), network.down(link)];
  const shown = is(focus.shown, "link", link.id);
  const said = down ? t("down") : load === undefined ? "" : percent(load).replace(" ", "");
  const ends = [link.source, link.target].map((end) => network.nodes.get(end.node)?.name ?? end.node);
  return html`
    <g class="link ${loadClass(link, load, down)}${shown ? " shown" : ""}${near ? "" : " far"}" data-link=${link.id}
      data-utilization=${load === undefined ? "" : load.toFixed(4)} ...${handles(focus, "link", link.id)} aria-label="${t("Link {ends}", { ends: ends.join(" – ") })}${said && ` ${said}`}">
      <path class="reach" d=${path} />
      <path class="line" d=${path} stroke-width=${(1.75 + 5 * Math.min(1, load ?? 0)).toFixed(2)} />
      ${scene.labels.loads.has(link.id) &&
      said &&
      html`<g class="load" aria-hidden="true">
        <rect x=${x - 17} y=${y - 7.5} width="34" height="15" rx="7.5" /><text x=${x} y=${y}>${said}</text>
      </g>`}
    </g>`;
}

function Dot({ network, node, scene, focus, near }) {
  const { x, y } = scene.positions.get(node.id);
  const kind = kindOf(node.type);
  const status = network.status(node.id);
  const shown = is(focus.shown, "node", node.id);
  return html`
    <g class="node kind-${kind} is-${status}${shown ? " shown" : ""}${near ? "" : " far"}" data-node=${node.id}
      transform="translate(${x.toFixed(1)} ${y.toFixed(1)})" ...${handles(focus, "node", node.id)} aria-label="${node.name}, ${KINDS[kind].text}">
      <circle class="reach" r=${Math.max(16, scene.radius + 6)} />
      <circle class="halo" r=${scene.radius + HALO} />
      <path class="shape" d=${KINDS[kind].shape(scene.radius)} />
    </g>`;
}

function Name({ node, scene, focus, near }) {
  const { x, y } = scene.positions.get(node.id);
  const place = scene.labels.names.get(node.id) ?? (is(focus.shown, "node", node.id) && { x, y: y - scene.radius - 11 });
  return place && html`<text class=${near ? "" : "far"} x=${place.x.toFixed(1)} y=${place.y.toFixed(1)}>${node.name}</text>`;
}

const is = (shown, kind, id) => shown?.kind === kind && shown.id === id;

/** What stays bright while something is looked at. */
export function neighbourhood(network, shown) {
  if (!shown) return null;
  const links = shown.kind === "node" ? network.linksOf(shown.id) : [network.links.get(shown.id)];
  const nodes = new Set(links.flatMap((link) => [link.source.node, link.target.node]));
  if (shown.kind === "node") nodes.add(shown.id);
  return { nodes, links: new Set(links.map((link) => link.id)) };
}

/** Pointer, keyboard and screen reader alike: looking previews, choosing keeps. */
function handles(focus, kind, id) {
  const part = { kind, id };
  const choose = (event) => {
    event.stopPropagation();
    focus.select(part);
  };
  return {
    tabindex: 0,
    role: "button",
    "aria-pressed": is(focus.selected, kind, id),
    onClick: choose,
    onKeyDown: (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(event);
    },
    onPointerEnter: (event) => event.pointerType === "mouse" && focus.preview(part),
    onPointerLeave: () => focus.preview(null),
    onFocus: () => focus.preview(part),
    onBlur: () => focus.preview(null),
  };
}

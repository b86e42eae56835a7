// Ways through the network on a small map: the paths of intents, and what a witness passes hop by hop.

import { html, useLayoutEffect, useMemo, useRef, useState } from "htm/preact";
import { layOut, pathOf, placeLabels } from "./layout.js";
import { NetworkMap } from "./map.js";

const HEIGHT = 300; // px
const NO_LABELS = new Map();
const pen = document.createElement("canvas").getContext("2d");

function measure(text) {
  pen.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/** *ways* are {hops, links?, chosen, backup, bad}; *onPick* hears of a node or link that is clicked. */
export function WayMap({ network, ways, onPick }) {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(Math.floor(contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const scene = useMemo(() => width > 0 && sceneOf(network, width), [network.revision, network.nodes.size, width]);
  const focus = { shown: null, selected: null, preview: () => {}, select: (part) => part && onPick(part) };
  return html`<div class="ways" ref=${box}>
    ${scene &&
    html`<${NetworkMap} ...${{ network, scene, focus, width, height: HEIGHT }}>
      <g aria-hidden="true">${ways.map((way, i) => html`<${Way} key=${i} ...${{ network, scene, way }} />`)}</g>
    <//>`}
  </div>`;
}

function sceneOf(network, width) {
  const [nodes, links] = [[...network.nodes.values()], [...network.links.values()]];
  const scene = layOut(nodes, links, width, HEIGHT);
  scene.labels = { ...placeLabels(scene, nodes, links, measure, width, HEIGHT), loads: NO_LABELS };
  return scene;
}

function Way({ network, scene, way }) {
  const links = way.links ?? linksBetween(network, way.hops);
  const kind = `way${way.chosen ? " chosen" : ""}${way.backup ? " backup" : ""}${way.bad ? " bad" : ""}`;
  const end = scene.positions.get(way.hops.at(-1));
  return html`<g class=${kind} data-way=${way.hops.join(" ")}>
    ${links.map((id) => scene.shapes.has(id) && html`<path key=${id} d=${pathOf(scene.shapes.get(id))} />`)}
    ${way.chosen && end && html`<circle cx=${end.x} cy=${end.y} r=${scene.radius + 3.5} />`}
  </g>`;
}

function linksBetween(network, hops) {
  const joins = (a, b) => network.linksOf(a).find(({ source, target }) => source.node === b || target.node === b)?.id;
  return hops.slice(1).map((hop, i) => joins(hops[i], hop)).filter(Boolean);
}

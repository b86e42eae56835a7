// The network page: one socket fills the model, one animation frame at a time draws it.

import { html, render } from "htm/preact";
import { t } from "./i18n.js";
import { KINDS, kindOf, LOADS } from "./kinds.js";
import { layOut, placeLabels } from "./layout.js";
import { NetworkMap } from "./map.js";
import { METRICS, Network } from "./model.js";
import { Panel } from "./panel.js";
import { ParaNetClient } from "./paranet-client.js";
import { Shell } from "./shell.js";

const IDLE = 5_000; // ms after which the page is drawn anew even if nothing came: figures grow stale

const network = new Network();
const client = new ParaNetClient();
const stage = document.getElementById("stage");
const panel = document.getElementById("panel");
const legend = document.getElementById("legend");
const frame = { width: 0, height: 0, due: false, scene: null, key: "" };
const shell = new Shell(client, { newest: () => network.newest, draw });

// ---- what is looked at

const focus = {
  selected: null,
  previewed: null,
  get shown() {
    return this.selected ?? this.previewed;
  },
  select(part) {
    focus.selected = part;
    if (part === null) focus.previewed = null;
    else panel.scrollTop = 0;
    draw();
  },
  preview(part) {
    focus.previewed = part;
    draw();
  },
};

function letGoOfWhatIsGone() {
  for (const name of ["selected", "previewed"]) {
    const part = focus[name];
    if (part && !(part.kind === "node" ? network.nodes : network.links).has(part.id)) focus[name] = null;
  }
}

// ---- drawing

function draw() {
  if (frame.due) return;
  frame.due = true;
  requestAnimationFrame(() => {
    frame.due = false;
    paint();
  });
}

function paint() {
  letGoOfWhatIsGone();
  shell.show();
  if (!network.known) return;
  const { width, height } = frame;
  document.getElementById("starting")?.remove();
  stage.setAttribute("aria-busy", "false");
  const drawn = network.nodes.size > 0 && width > 0;
  render(drawn ? html`<${NetworkMap} ...${{ network, focus, width, height, scene: sceneNow() }} />` : html`<${Empty} />`, stage);
  render(html`<${Panel} ...${{ network, focus }} />`, panel);
  render(html`<${Legend} />`, legend);
}

/** The layout, found anew only when the topology or the viewport has changed. */
function sceneNow() {
  const { width, height } = frame;
  const key = `${network.revision} ${network.nodes.size} ${width} ${height}`;
  if (frame.key !== key) {
    const [nodes, links] = [[...network.nodes.values()], [...network.links.values()]];
    const scene = layOut(nodes, links, width, height);
    scene.labels = placeLabels(scene, nodes, links, measure, width, height);
    Object.assign(frame, { key, scene });
  }
  return frame.scene;
}

const pen = document.createElement("canvas").getContext("2d");

function measure(text) {
  pen.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

function Empty() {
  return html`
    <div class="empty">
      <h2>${t("No topology yet")}</h2>
      <p>
        Import one with <code>POST /api/v1/topology/import</code> (native JSON or GraphML), or start the hub with <code>--demo</code>.
        It appears here at once.
      </p>
    </div>`;
}

function Legend() {
  const kinds = Object.keys(KINDS).filter((kind) => [...network.nodes.values()].some((node) => kindOf(node.type) === kind));
  return html`
    <div class="scale" role="img" aria-label=${t("Line colour and width: load from 0 to 100 percent")}>
      <span>${t("Load")}</span>
      ${LOADS.map(
        (from, i) => html`<span class="step load-${i}">
          <svg viewBox="0 0 26 8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4" stroke-width=${2 + i * 1.1} /></svg>${from}
        </span>`,
      )}
      <span>%</span>
    </div>
    <ul>
      ${kinds.map(
        (kind) => html`<li class="node kind-${kind} is-up" key=${kind}>
          <svg viewBox="-10 -10 20 20" aria-hidden="true"><path class="shape" d=${KINDS[kind].shape(6.5)} /></svg>${KINDS[kind].text}
        </li>`,
      )}
    </ul>`;
}

client.subscribe("topology", {
  onSnapshot: (data) => (network.replaceTopology(data), draw()),
  onEvents: (events) => (network.changeTopology(events), draw()),
});
client.subscribe("telemetry", {
  filter: { metrics: METRICS },
  onSnapshot: (items) => (network.replaceReadings(items), draw()),
  onEvents: (items) => (network.addReadings(items), draw()),
});

// ---- hands

addEventListener("keydown", (event) => {
  if (event.key === "Escape") focus.select(null);
});
new ResizeObserver(([{ contentRect }]) => {
  Object.assign(frame, { width: Math.floor(contentRect.width), height: Math.floor(contentRect.height) });
  draw();
}).observe(stage);
setInterval(draw, IDLE);
client.connect();

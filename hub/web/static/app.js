// The network page: one socket fills the model, one animation frame at a time draws it.

import { html, render } from "htm/preact";
import { Crowd } from "./crowd.js";
import { Editing } from "./editing.js";
import { onceAFrame } from "./frames.js";
import { t } from "./i18n.js";
import { KINDS, kindOf, LOADS } from "./kinds.js";
import { CROWD, placeLabels, seen, survey } from "./layout.js";
import { NetworkMap, neighbourhood } from "./map.js";
import { METRICS, Network, WINDOW } from "./model.js";
import { ImportDialog } from "./network-import.js";
import { Tools } from "./network-tools.js";
import { Panel } from "./panel.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Rest } from "./rest.js";
import { Shell } from "./shell.js";
import { Viewport } from "./viewport.js";

const GAP = 11; // px above what stands over the map
const IDLE = 5_000; // ms after which the page is drawn anew even if nothing came: figures grow stale

const network = new Network();
const session = new Session();
const client = new ParaNetClient({ session });
const rest = new Rest(session);
const [stage, map, tools, panel, legend] = ["stage", "map", "tools", "panel", "legend"].map((name) => document.getElementById(name));
const frame = { width: 0, height: 0, above: 46, rest: null, restKey: "", scene: null, sceneKey: "" };
const draw = onceAFrame(paint);
const shell = new Shell(client, { newest: () => network.newest, draw });
const crowd = new Crowd();
let file = null; // to be imported

// ---- what is looked at

const focus = {
  selected: null,
  previewed: null,
  get shown() {
    return this.selected ?? this.previewed;
  },
  select(part) {
    if (edit.took(part)) return;
    focus.selected = part;
    if (part === null) focus.previewed = null;
    else panel.scrollTop = 0;
    recall(part);
    draw();
  },
  /** Look at a part, and have the map show where it is. */
  find(part) {
    focus.select(part);
    const at = frame.rest?.positions.get(part.kind === "node" ? part.id : network.links.get(part.id).source.node);
    if (at) viewport.show(at);
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

/** Fill the charts of the part that one looks at with what was measured before this page was there. */
async function recall(part) {
  const there = part && (part.kind === "node" ? network.nodes : network.links).get(part.id);
  if (!there || network.newest === null) return;
  const metric = part.kind === "node" ? "paranet_node_cpu_ratio" : "paranet_link_utilization_ratio";
  try {
    const { body } = await client.ask("prometheus.query", { query: `${metric}{${part.kind}=${JSON.stringify(part.id)}}[${WINDOW}ms]` });
    network.recall(body.data.result);
    draw();
  } catch (error) {
    console.warn(`what was before: ${error.message}`); // the charts fill by themselves
  }
}

// ---- drawing

function paint() {
  letGoOfWhatIsGone();
  shell.show();
  if (!network.known) return;
  document.getElementById("starting")?.remove();
  stage.setAttribute("aria-busy", "false");
  if (network.nodes.size > 0 && frame.width > 0) paintMap(sceneNow());
  else render(html`<${Empty} />`, map);
  render(html`<${Tools} ...${{ network, focus, viewport, shell, edit, onFile, onHead }} />`, tools);
  const held = panel.contains(document.activeElement);
  render(html`<${Panel} ...${{ network, focus, shell, edit }} />`, panel);
  if (held && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true }); // what had the focus is gone
  render(html`<${Legend} />`, legend);
  render(file && html`<${ImportDialog} key=${file.name} ...${{ file, rest, edits: edit.edits }} onClose=${() => onFile(null)} />`, document.getElementById("dialog"));
}

function paintMap(scene) {
  const { width, height } = frame;
  const many = network.nodes.size > CROWD;
  if (many !== map.contains(crowd.element)) {
    render(null, map);
    if (many) map.append(crowd.element);
    else crowd.element.remove();
  }
  if (!many) return render(html`<${NetworkMap} ...${{ network, focus, width, height, scene }} />`, map);
  const { shown } = focus;
  crowd.element.setAttribute("aria-label", t("Network map: nodes {nodes}, links {links}", { nodes: network.nodes.size, links: network.links.size }));
  crowd.paint({ network, scene, shown, near: neighbourhood(network, shown), width, height });
}

/** What is seen, found anew only when the topology, the window or the place one looks at has changed. */
function sceneNow() {
  const { width, height } = frame;
  const [nodes, links] = [[...network.nodes.values()], [...network.links.values()]];
  const restKey = `${network.revision} ${nodes.length} ${width} ${height} ${frame.above}`;
  if (frame.restKey !== restKey) Object.assign(frame, { restKey, rest: survey(nodes, width, height, frame.above) });
  const { k, x, y } = viewport.view;
  const sceneKey = `${restKey} ${k} ${x} ${y} ${viewport.moving} ${edit.moved}`;
  if (frame.sceneKey === sceneKey) return frame.scene;
  const scene = seen(frame.rest, links, viewport.view, width, height);
  scene.labels = (viewport.moving || edit.dragging) && frame.scene ? carried(frame.scene, scene) : placeLabels(scene, nodes, links, measure, width, height);
  Object.assign(frame, { sceneKey, scene });
  return scene;
}

/** Texts stay beside their nodes while the map moves; once it rests they find their places anew. */
function carried(old, scene) {
  const names = new Map();
  for (const [id, { x, y }] of old.labels.names) {
    const [before, now] = [old.positions.get(id), scene.positions.get(id)];
    if (before && now) names.set(id, { x: x - before.x + now.x, y: y - before.y + now.y });
  }
  return { names, loads: new Map() };
}

const pen = document.createElement("canvas").getContext("2d");

function measure(text) {
  if (!widths.has(text)) {
    pen.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(text, pen.measureText(text).width);
  }
  return widths.get(text);
}

const widths = new Map(); // of names: as many as there are nodes


function Empty() {
  return html`
    <div class="empty">
      <h2>${t("No topology yet")}</h2>
      <p>${t("Drop a file here: GraphML, JSON, YAML and others are read. Or start the hub with --demo. It appears at once.")}</p>
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
  onSnapshot: (items) => (network.replaceReadings(items), recall(focus.selected), draw()),
  onEvents: (items) => (network.addReadings(items), draw()),
});

// ---- hands

const edit = new Editing({ client, network, focus, draw, place: (x, y) => frame.scene?.placeAt(x, y) ?? {}, size: () => frame });
const viewport = new Viewport(stage, { grasp, onMove: draw, onRest: draw });

/** In the edit mode a node that is pressed goes along with the pointer. */
function grasp(event, at) {
  const part = partAt(event, at);
  if (!edit.on || edit.tool || part?.kind !== "node") return null;
  const { k, x, y } = viewport.view;
  return edit.drag(part.id, (to) => frame.rest.positions.set(part.id, { x: (to.x - x) / k, y: (to.y - y) / k }), () => (frame.restKey = ""));
}

function partAt(event, at) {
  const node = event.target.closest?.("[data-node]")?.dataset.node;
  if (node !== undefined) return { kind: "node", id: node };
  return event.target === crowd.element ? crowd.partAt(at) : null;
}

crowd.element.addEventListener("click", (event) => focus.select(crowd.partAt(viewport.at(event))));
crowd.element.addEventListener("pointermove", (event) => {
  if (event.pointerType !== "mouse" || event.buttons) return;
  const part = crowd.partAt(viewport.at(event));
  crowd.element.classList.toggle("over", part !== null);
  if (part?.id !== focus.previewed?.id) focus.preview(part);
});
stage.addEventListener("click", (event) => !event.target.closest("[data-tools]") && edit.tool === "add" && edit.put(viewport.at(event)), { capture: true });

function onFile(given) {
  file = given ?? null;
  draw();
}

for (const name of ["dragover", "drop"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // or the browser would leave the page for the file
    if (name === "drop" && shell.operates) onFile(event.dataTransfer.files[0]);
  });
}
addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Enter" || edit.tool !== "add" || event.target.closest?.("button, input, summary, a")) return;
    event.stopPropagation(); // a node that has the focus is not meant
    edit.put({ x: frame.width / 2, y: frame.height / 2 });
  },
  { capture: true },
);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !file) edit.drop() || focus.select(null);
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && edit.on && edit.edits.last && !event.target.closest?.("input, textarea")) {
    event.preventDefault();
    edit.edits.undo();
  }
});
new ResizeObserver(([{ contentRect }]) => {
  Object.assign(frame, { width: Math.floor(contentRect.width), height: Math.floor(contentRect.height) });
  draw();
}).observe(stage);
const heads = new ResizeObserver(([{ borderBoxSize }]) => {
  frame.above = Math.ceil(borderBoxSize[0].blockSize) + GAP; // what stands over the map covers none of it
  draw();
});
const onHead = (element) => element && heads.observe(element);
setInterval(draw, IDLE);
client.connect();

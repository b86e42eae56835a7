// The map of a large network: painted on a canvas, because thousands of elements cannot be moved thirty times a second.

import { KINDS, kindOf, loadStep } from "./kinds.js";

const NEAR = 12; // px from which a pointer means a node
const NAMES = ["ground", "ink", "line", "soft", "bad", "bad-ground", "accent", "load-none", ...[0, 1, 2, 3, 4].map((i) => `load-${i}`), ...Object.keys(KINDS).map((kind) => `kind-${kind}`)];
const FAINT = 0.18;
const DASHES = { off: [7, 5], down: [3, 5], none: [2, 5] };

/** Colours as they are in the page's theme: a canvas knows no custom properties. */
function palette() {
  const probe = document.createElement("i");
  document.body.append(probe);
  const colours = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return colours;
}

export class Crowd {
  #canvas = document.createElement("canvas");
  #pen = this.#canvas.getContext("2d", { alpha: false });
  #colours = null;
  #theme = null;
  #scene = null;
  #outlines = new Map(); // kind -> Path2D

  get element() {
    return this.#canvas;
  }

  /** Paint; *near* is {nodes, links} that stay bright, or null. */
  paint({ network, scene, shown, near, width, height }) {
    const [canvas, pen, ratio] = [this.#canvas, this.#pen, devicePixelRatio];
    const theme = `${document.documentElement.dataset.theme} ${matchMedia("(prefers-color-scheme: dark)").matches}`;
    if (theme !== this.#theme) [this.#theme, this.#colours] = [theme, palette()];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    this.#scene = scene;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = this.#colours.ground;
    pen.fillRect(0, 0, width, height);
    this.#lines(scene.graticule);
    this.#links(network, scene, near, width, height);
    this.#nodes(network, scene, near, shown, width, height);
    this.#names(network, scene, near);
  }

  #lines(graticule) {
    const pen = this.#pen;
    pen.strokeStyle = this.#colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const { x1, y1, x2, y2 } of graticule) {
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
    }
    pen.stroke();
  }

  /** Links of one load and brightness are one path: a canvas takes its time by strokes, not by lines. */
  #links(network, scene, near, width, height) {
    const strokes = new Map();
    for (const link of network.links.values()) {
      const shape = scene.shapes.get(link.id);
      if (!shape || outside(shape.a, shape.b, width, height)) continue;
      const load = network.utilization(link);
      const look = !link.enabled ? "off" : network.down(link) ? "down" : load === undefined ? "none" : loadStep(load);
      const key = `${look} ${near && !near.links.has(link.id) ? "far" : ""}`;
      if (!strokes.has(key)) strokes.set(key, []);
      strokes.get(key).push(shape);
    }
    const pen = this.#pen;
    for (const [key, shapes] of strokes) {
      const [look, far] = key.split(" ");
      const step = Number(look);
      pen.globalAlpha = far ? FAINT : 1;
      pen.strokeStyle = this.#colours[look === "down" ? "bad" : Number.isNaN(step) ? "load-none" : `load-${step}`];
      pen.lineWidth = look === "down" ? 2.5 : Number.isNaN(step) ? 1.2 : 1.2 + step;
      pen.setLineDash(DASHES[look] ?? []);
      pen.beginPath();
      for (const { a, b, via } of shapes) {
        pen.moveTo(a.x, a.y);
        if (via) pen.quadraticCurveTo(via.x, via.y, b.x, b.y);
        else pen.lineTo(b.x, b.y);
      }
      pen.stroke();
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  #nodes(network, scene, near, shown, width, height) {
    const pen = this.#pen;
    const { radius } = scene;
    for (const node of network.nodes.values()) {
      const { x, y } = scene.positions.get(node.id);
      if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
      const [kind, status] = [kindOf(node.type), network.status(node.id)];
      const colour = this.#colours[status === "down" ? "bad" : `kind-${kind}`];
      pen.globalAlpha = near && !near.nodes.has(node.id) ? FAINT : 1;
      pen.translate(x, y);
      pen.fillStyle = status === "up" ? colour : this.#colours[status === "down" ? "bad-ground" : "ground"];
      pen.strokeStyle = status === "up" ? this.#colours.ground : colour;
      pen.lineWidth = 1.5;
      const outline = this.#outline(kind, radius);
      pen.fill(outline);
      pen.stroke(outline);
      if (shown?.kind === "node" && shown.id === node.id) {
        pen.strokeStyle = this.#colours.accent;
        pen.beginPath();
        pen.arc(0, 0, radius + 5, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.translate(-x, -y);
    }
    pen.globalAlpha = 1;
  }

  #outline(kind, radius) {
    const key = `${kind} ${radius}`;
    if (!this.#outlines.has(key)) this.#outlines.set(key, new Path2D(KINDS[kind].shape(radius)));
    return this.#outlines.get(key);
  }

  #names(network, scene, near) {
    const pen = this.#pen;
    Object.assign(pen, { font: `500 12px ${getComputedStyle(document.body).fontFamily}`, textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 3.5 });
    for (const [id, { x, y }] of scene.labels.names) {
      pen.globalAlpha = near && !near.nodes.has(id) ? FAINT : 1;
      const { name } = network.nodes.get(id);
      pen.strokeStyle = this.#colours.ground;
      pen.strokeText(name, x, y);
      pen.fillStyle = this.#colours.ink;
      pen.fillText(name, x, y);
    }
    pen.globalAlpha = 1;
  }

  /** The node or link at a place, else null. */
  partAt({ x, y }) {
    let found = null;
    let least = NEAR;
    for (const [id, at] of this.#scene?.positions ?? []) {
      const distance = Math.hypot(at.x - x, at.y - y);
      if (distance < least) [found, least] = [{ kind: "node", id }, distance];
    }
    if (found) return found;
    least = 6;
    for (const [id, { a, b }] of this.#scene?.shapes ?? []) {
      const distance = apart(x, y, a, b);
      if (distance < least) [found, least] = [{ kind: "link", id }, distance];
    }
    return found;
  }
}

const outside = (a, b, width, height) => (a.x < 0 && b.x < 0) || (a.y < 0 && b.y < 0) || (a.x > width && b.x > width) || (a.y > height && b.y > height);

/** How far a place is from a line. */
function apart(x, y, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const share = Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - a.x - share * dx, y - a.y - share * dy);
}

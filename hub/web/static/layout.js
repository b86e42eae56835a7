// Where things go on the map, in pixels: pure functions of the topology and the viewport.

const MARGIN = { top: 34, right: 62, bottom: 46, left: 62 };
const APART = 30; // px that two nodes keep
const STEPS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30]; // degrees between the lines of the graticule
export const CROWD = 400; // nodes above which spreading is not worth its quadratic cost, nor a picture of elements
const ROOM = 0.2; // around a network of one place: radians on the globe
const CELL = 64; // px of the squares in which what is taken is looked up

/** The network's places at rest: {chart, frame, positions, above, radius}. The chart says what a place means, the frame how it comes to pixels; *above* px stay free. */
export function survey(nodes, width, height, above = 0) {
  const margin = width < 560 ? { top: 28, right: 40, bottom: 40, left: 40 } : MARGIN;
  const [w, h] = [width - margin.left - margin.right, height - margin.top - margin.bottom - above];
  const box = { x: margin.left, y: margin.top + above, w: Math.max(1, w), h: Math.max(1, h) };
  const chart = nodes.some((node) => node.location) ? globe(nodes) : plane(nodes);
  const known = nodes.map((node) => [node.id, chart.at(node)]).filter(([, at]) => at);
  const frame = fit(known.map(([, at]) => at), box);
  const positions = new Map(known.map(([id, at]) => [id, toPixels(frame, at)]));
  for (const [id, point] of onCircle(nodes.filter((node) => !positions.has(node.id)), box)) positions.set(id, point);
  if (nodes.length <= CROWD) spread([...positions.values()], box);
  return { chart, frame, positions, above, radius: nodes.length <= 60 ? (width < 560 ? 7 : 9) : nodes.length <= 200 ? 6 : 4 };
}

export const AT_REST = Object.freeze({ k: 1, x: 0, y: 0 });

/**
 * What is seen of it through *view* (k times as large, moved by x and y):
 * {positions: Map(node id -> {x, y}), graticule: [{x1, y1, x2, y2, text}], radius, shapes: Map(link id -> {x, y, length, a, b, via}), placeAt(x, y)}.
 */
export function seen(rest, links, { k, x, y }, width, height) {
  const frame = { scale: rest.frame.scale * k, dx: rest.frame.dx * k + x, dy: rest.frame.dy * k + y };
  const positions = new Map();
  for (const [id, at] of rest.positions) positions.set(id, { x: at.x * k + x, y: at.y * k + y });
  return {
    positions,
    graticule: rest.chart.lines ? graticule(rest.chart, frame, width, height, rest.above) : [],
    radius: rest.radius,
    shapes: new Map(bend(links, positions)),
    placeAt: (px, py) => rest.chart.place((px - frame.dx) / frame.scale, (frame.dy - py) / frame.scale),
  };
}

/** All of the network in one view. */
export function layOut(nodes, links, width, height) {
  return seen(survey(nodes, width, height), links, AT_REST, width, height);
}

const RADIANS = Math.PI / 180;
const north = (latitude) => Math.log(Math.tan(Math.PI / 4 + (Math.max(-84, Math.min(84, latitude)) * RADIANS) / 2));
const rounded = (value, digits) => Number(value.toFixed(digits));

/** Mercator (the angles operators know from maps), cut at the widest gap so that a network over the Pacific stays whole. */
function globe(nodes) {
  const placed = ({ location, display }) => location ?? (display && { longitude: display.x, latitude: display.y });
  const sorted = [...new Set(nodes.map(placed).filter(Boolean).map(({ longitude }) => longitude))].sort((a, b) => a - b);
  let west = sorted[0];
  let widest = sorted[0] + 360 - sorted.at(-1);
  for (let i = 1; i < sorted.length; i += 1) {
    if (sorted[i] - sorted[i - 1] > widest) {
      widest = sorted[i] - sorted[i - 1];
      west = sorted[i];
    }
  }
  const longitudeOf = (u) => west + u / RADIANS;
  const latitudeOf = (v) => (2 * Math.atan(Math.exp(v)) - Math.PI / 2) / RADIANS;
  return {
    lines: true,
    at(node) {
      const place = placed(node);
      return place && [((((place.longitude - west) % 360) + 360) % 360) * RADIANS, north(place.latitude)];
    },
    place: (u, v) => ({ location: { latitude: rounded(latitudeOf(v), 4), longitude: rounded(turned(longitudeOf(u)), 4) } }),
    longitudeOf,
    latitudeOf,
    uOf: (longitude) => (longitude - west) * RADIANS,
    vOf: north,
  };
}

const turned = (longitude) => ((((longitude + 180) % 360) + 360) % 360) - 180;

/** A plane for networks that lie nowhere: where they are to be drawn, or on a circle. */
function plane(nodes) {
  const drawn = nodes.some(({ display }) => display);
  const order = new Map([...nodes].map(({ id }) => id).sort().map((id, i) => [id, (2 * Math.PI * i) / nodes.length]));
  return {
    lines: false,
    at: ({ id, display }) => (drawn ? display && [display.x, display.y] : [Math.sin(order.get(id)), Math.cos(order.get(id))]),
    place: (u, v) => ({ display: { x: Number(u.toPrecision(8)), y: Number(v.toPrecision(8)) } }),
  };
}

/** Scale and offset that put places into the box, the same scale both ways; around a single one there is room for others. */
function fit(places, box) {
  if (!places.length) return { scale: box.w / 2, dx: box.x + box.w / 2, dy: box.y + box.h / 2 };
  const least = [0, 1].map((axis) => places.reduce((low, place) => Math.min(low, place[axis]), Infinity));
  const most = [0, 1].map((axis) => places.reduce((high, place) => Math.max(high, place[axis]), -Infinity));
  const [wide, high] = [most[0] - least[0], most[1] - least[1]];
  const narrow = wide === 0 && high === 0 ? ROOM : 1e-3;
  const scale = Math.min(box.w / Math.max(wide, narrow), box.h / Math.max(high, narrow));
  return { scale, dx: box.x + box.w / 2 - (scale * (least[0] + most[0])) / 2, dy: box.y + box.h / 2 + (scale * (least[1] + most[1])) / 2 };
}

const toPixels = ({ scale, dx, dy }, [u, v]) => ({ x: dx + scale * u, y: dy - scale * v });

function onCircle(nodes, box) {
  return [...nodes]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((node, i) => {
      const angle = (2 * Math.PI * i) / nodes.length - Math.PI / 2;
      return [node.id, { x: box.x + (box.w / 2) * (1 + Math.cos(angle)), y: box.y + (box.h / 2) * (1 + Math.sin(angle)) }];
    });
}

/** Push apart what stands on one spot, a little at a time; the order of the nodes decides the direction, not chance. */
function spread(points, box) {
  for (let round = 0; round < 24; round += 1) {
    let moved = false;
    for (let i = 0; i < points.length; i += 1) {
      for (let j = 0; j < i; j += 1) {
        const [a, b] = [points[i], points[j]];
        const [dx, dy] = [a.x - b.x, a.y - b.y];
        const distance = Math.hypot(dx, dy);
        if (distance >= APART) continue;
        const angle = distance < 0.01 ? i * 2.399963 : Math.atan2(dy, dx); // the golden angle: no two alike
        const push = (APART - distance) / 2 + 0.1;
        a.x += Math.cos(angle) * push;
        a.y += Math.sin(angle) * push;
        b.x -= Math.cos(angle) * push;
        b.y -= Math.sin(angle) * push;
        moved = true;
      }
    }
    if (!moved) break;
  }
  for (const point of points) {
    point.x = Math.max(box.x - 24, Math.min(box.x + box.w + 24, point.x));
    point.y = Math.max(box.y - 12, Math.min(box.y + box.h + 12, point.y));
  }
}

/** What draws a shape. */
export const pathOf = ({ a, b, via }) => `M${n(a.x)} ${n(a.y)}${via ? `Q${n(via.x)} ${n(via.y)} ` : "L"}${n(b.x)} ${n(b.y)}`;

/** Lines between the nodes; several between one pair bow out side by side. */
function* bend(links, positions) {
  const pairs = new Map();
  for (const link of links) {
    const pair = [link.source.node, link.target.node].sort().join(" ");
    if (!pairs.has(pair)) pairs.set(pair, []);
    pairs.get(pair).push(link);
  }
  for (const parallel of pairs.values()) {
    for (const [i, link] of parallel.entries()) {
      const [first, second] = [link.source.node, link.target.node].sort();
      const [a, b] = [positions.get(first), positions.get(second)];
      if (!a || !b) continue;
      const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
      const off = (i - (parallel.length - 1) / 2) * 22;
      const x = (a.x + b.x) / 2 - ((b.y - a.y) / length) * off;
      const y = (a.y + b.y) / 2 + ((b.x - a.x) / length) * off;
      const via = off === 0 ? null : { x: 2 * x - (a.x + b.x) / 2, y: 2 * y - (a.y + b.y) / 2 };
      yield [link.id, { x, y, length, a, b, via }];
    }
  }
}

function graticule({ longitudeOf, latitudeOf, uOf, vOf }, { scale, dx, dy }, width, height, above) {
  const [west, east] = [longitudeOf(-dx / scale), longitudeOf((width - dx) / scale)];
  const [south, top] = [latitudeOf((dy - height) / scale), latitudeOf(dy / scale)];
  const step = STEPS.find((degrees) => (east - west) / degrees <= Math.max(3, width / 110)) ?? 30;
  const lines = [];
  for (let at = Math.ceil(west / step) * step; at < east; at += step) {
    const x = dx + scale * uOf(at);
    lines.push({ x1: x, y1: 0, x2: x, y2: height, tx: x + 4, ty: height - 6, text: x < width - 85 ? degrees(turned(at), "E", "W") : "" });
  }
  for (let at = Math.ceil(Math.max(south, -80) / step) * step; at < Math.min(top, 80); at += step) {
    const y = dy - scale * vOf(at);
    const hidden = y < 18 + above; // its text would be cut off, or lie under what stands over the map
    lines.push({ x1: 0, y1: y, x2: width, y2: y, tx: 6, ty: y - 4, text: hidden ? "" : degrees(at, "N", "S") });
  }
  return lines;
}

const degrees = (value, positive, negative) => `${Math.abs(Number(value.toFixed(3)))}°${value > 0 ? positive : value < 0 ? negative : ""}`;

/**
 * Find places for texts so that none covers another or a node; who finds none stays away (undefined in the map).
 * Texts depend on nothing that changes with the load, so labels never jump about.
 */
export function placeLabels({ positions, radius, shapes }, nodes, links, measure, width, height) {
  const taken = new Taken();
  for (const { x, y } of positions.values()) taken.add(around(x, y, 2 * radius + 4, 2 * radius + 4));
  const inside = (box) => box.x > 2 && box.y > 2 && box.x + box.w < width - 2 && box.y + box.h < height - 2;
  const free = (box) => inside(box) && taken.free(box);
  const degree = new Map();
  for (const link of links) for (const end of [link.source, link.target]) degree.set(end.node, (degree.get(end.node) ?? 0) + 1);
  const segments = shapes.size <= CROWD ? [...shapes.values()] : []; // in a crowd texts lie over lines anyway
  const names = new Map();
  const order = [...nodes].sort((a, b) => (degree.get(b.id) ?? 0) - (degree.get(a.id) ?? 0) || (a.id < b.id ? -1 : 1));
  for (const node of order) {
    const { x, y } = positions.get(node.id);
    if (x < 0 || y < 0 || x > width || y > height) continue;
    const fitting = placesAround(x, y, measure(node.name), radius + 8).filter(({ box }) => free(box));
    if (!fitting.length) continue;
    for (const place of fitting) place.cost = place.preference + segments.filter((segment) => crosses(segment, place.box)).length;
    const best = fitting.reduce((a, b) => (b.cost < a.cost ? b : a));
    names.set(node.id, { x: best.x, y: best.y });
    taken.add(best.box);
  }
  const loads = new Map();
  for (const [id, { x, y, length }] of [...shapes].sort((a, b) => b[1].length - a[1].length)) {
    const box = around(x, y, 38, 16);
    if (length < 78 || shapes.size > CROWD || !free(box) || segments.some((segment) => segment !== shapes.get(id) && crosses(segment, box))) continue;
    loads.set(id, { x, y });
    taken.add(box);
  }
  return { names, loads };
}

/** Where a text *w* wide may stand beside a node, *gap* from its middle (its halo ends before that), the better places first. */
function placesAround(x, y, w, gap) {
  return [
    { x, y: y + gap + 5 },
    { x, y: y - gap - 3 },
    { x: x + gap + w / 2, y },
    { x: x - gap - w / 2, y },
    { x: x + gap * 0.7 + w / 2, y: y - gap },
    { x: x - gap * 0.7 - w / 2, y: y - gap },
    { x: x + gap * 0.7 + w / 2, y: y + gap + 1 },
    { x: x - gap * 0.7 - w / 2, y: y + gap + 1 },
  ].map((place, i) => ({ ...place, box: around(place.x, place.y, w + 4, 15), preference: i * 0.2 }));
}

/** Boxes that are taken, found by the squares they lie in. */
class Taken {
  #cells = new Map();

  *#squares({ x, y, w, h }) {
    for (let i = Math.floor(x / CELL); i <= Math.floor((x + w) / CELL); i += 1) {
      for (let j = Math.floor(y / CELL); j <= Math.floor((y + h) / CELL); j += 1) yield i * 65_536 + j;
    }
  }

  add(box) {
    for (const square of this.#squares(box)) {
      if (!this.#cells.has(square)) this.#cells.set(square, []);
      this.#cells.get(square).push(box);
    }
  }

  free(box) {
    for (const square of this.#squares(box)) if (this.#cells.get(square)?.some((other) => overlap(box, other))) return false;
    return true;
  }
}

const around = (x, y, w, h) => ({ x: x - w / 2, y: y - h / 2, w, h });
const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Whether a link's straight line passes through the box (Liang and Barsky). */
function crosses({ a, b }, box) {
  let [from, to] = [0, 1];
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  for (const [p, q] of [
    [-dx, a.x - box.x],
    [dx, box.x + box.w - a.x],
    [-dy, a.y - box.y],
    [dy, box.y + box.h - a.y],
  ]) {
    if (p === 0 && q < 0) return false;
    if (p < 0) from = Math.max(from, q / p);
    if (p > 0) to = Math.min(to, q / p);
  }
  return from <= to;
}

const n = (value) => value.toFixed(1);

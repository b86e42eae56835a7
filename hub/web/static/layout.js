// Where things go on the map, in pixels: pure functions of the topology and the viewport.

const MARGIN = { top: 34, right: 62, bottom: 46, left: 62 };
const APART = 30; // px that two nodes keep
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30]; // degrees between the lines of the graticule
const CROWD = 400; // nodes above which spreading is not worth its quadratic cost

/** {positions: Map(node id -> {x, y}), graticule: [{x1, y1, x2, y2, text}], radius, shapes: Map(link id -> {path, x, y, length})}. */
export function layOut(nodes, links, width, height) {
  const margin = width < 560 ? { top: 28, right: 40, bottom: 40, left: 40 } : MARGIN;
  const [w, h] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
  const box = { x: margin.left, y: margin.top, w: Math.max(1, w), h: Math.max(1, h) };
  const located = nodes.filter((node) => node.location);
  const projection = located.length ? fit(located.map((node) => node.location), box) : null;
  const positions = new Map(located.map((node) => [node.id, projection.place(node.location)]));
  for (const [id, point] of onCircle(nodes.filter((node) => !node.location), box)) positions.set(id, point);
  if (nodes.length <= CROWD) spread([...positions.values()], box);
  return {
    positions,
    graticule: projection ? graticule(projection, width, height) : [],
    radius: nodes.length <= 60 ? (width < 560 ? 7 : 9) : nodes.length <= 200 ? 6 : 4,
    shapes: new Map(bend(links, positions)),
  };
}

/** Mercator (the angles operators know from maps), cut at the widest gap so that a network over the Pacific stays whole. */
function fit(locations, box) {
  const sorted = [...new Set(locations.map(({ longitude }) => longitude))].sort((a, b) => a - b);
  let west = sorted[0];
  let widest = sorted[0] + 360 - sorted.at(-1);
  for (let i = 1; i < sorted.length; i += 1) {
    if (sorted[i] - sorted[i - 1] > widest) {
      widest = sorted[i] - sorted[i - 1];
      west = sorted[i];
    }
  }
  const east = (longitude) => ((((longitude - west) % 360) + 360) % 360) * (Math.PI / 180);
  const north = (latitude) => {
    const angle = (Math.max(-84, Math.min(84, latitude)) * Math.PI) / 180;
    return Math.log(Math.tan(Math.PI / 4 + angle / 2));
  };
  const xs = locations.map(({ longitude }) => east(longitude));
  const ys = locations.map(({ latitude }) => north(latitude));
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min(box.w / Math.max(x1 - x0, 1e-3), box.h / Math.max(y1 - y0, 1e-3));
  const dx = box.x + box.w / 2 - (scale * (x0 + x1)) / 2;
  const dy = box.y + box.h / 2 + (scale * (y0 + y1)) / 2;
  return {
    west,
    place: ({ latitude, longitude }) => ({ x: dx + scale * east(longitude), y: dy - scale * north(latitude) }),
    longitudeAt: (x) => west + ((x - dx) / scale) * (180 / Math.PI),
    latitudeAt: (y) => (2 * Math.atan(Math.exp((dy - y) / scale)) - Math.PI / 2) * (180 / Math.PI),
    xOf: (longitude) => dx + scale * (longitude - west) * (Math.PI / 180),
    yOf: (latitude) => dy - scale * north(latitude),
  };
}

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
      const via = off === 0 ? "L" : `Q${n(2 * x - (a.x + b.x) / 2)} ${n(2 * y - (a.y + b.y) / 2)} `;
      yield [link.id, { path: `M${n(a.x)} ${n(a.y)}${via}${n(b.x)} ${n(b.y)}`, x, y, length, a, b }];
    }
  }
}

function graticule(projection, width, height) {
  const [west, east] = [projection.longitudeAt(0), projection.longitudeAt(width)];
  const [south, north] = [projection.latitudeAt(height), projection.latitudeAt(0)];
  const step = STEPS.find((degrees) => (east - west) / degrees <= Math.max(3, width / 110)) ?? 30;
  const lines = [];
  for (let at = Math.ceil(west / step) * step; at < east; at += step) {
    const x = projection.xOf(at);
    const turned = ((((at + 180) % 360) + 360) % 360) - 180;
    lines.push({ x1: x, y1: 0, x2: x, y2: height, tx: x + 4, ty: height - 6, text: x < width - 40 ? degrees(turned, "E", "W") : "" });
  }
  for (let at = Math.ceil(Math.max(south, -80) / step) * step; at < Math.min(north, 80); at += step) {
    const y = projection.yOf(at);
    if (y < 18) continue; // its text would be cut off
    lines.push({ x1: 0, y1: y, x2: width, y2: y, tx: 6, ty: y - 4, text: degrees(at, "N", "S") });
  }
  return lines;
}

const degrees = (value, positive, negative) => `${Math.abs(Number(value.toFixed(1)))}°${value > 0 ? positive : value < 0 ? negative : ""}`;

/**
 * Find places for texts so that none covers another or a node; who finds none stays away (undefined in the map).
 * Texts depend on nothing that changes with the load, so labels never jump about.
 */
export function placeLabels({ positions, radius, shapes }, nodes, links, measure, width, height) {
  const taken = [...positions.values()].map(({ x, y }) => around(x, y, 2 * radius + 4, 2 * radius + 4));
  const inside = (box) => box.x > 2 && box.y > 2 && box.x + box.w < width - 2 && box.y + box.h < height - 2;
  const free = (box) => inside(box) && !taken.some((other) => overlap(box, other));
  const degree = new Map();
  for (const link of links) for (const end of [link.source, link.target]) degree.set(end.node, (degree.get(end.node) ?? 0) + 1);
  const segments = [...shapes.values()];
  const names = new Map();
  const order = [...nodes].sort((a, b) => (degree.get(b.id) ?? 0) - (degree.get(a.id) ?? 0) || (a.id < b.id ? -1 : 1));
  for (const node of order) {
    const { x, y } = positions.get(node.id);
    const w = measure(node.name);
    const gap = radius + 5;
    const places = [
      { x, y: y + gap + 8 },
      { x, y: y - gap - 6 },
      { x: x + gap + w / 2, y },
      { x: x - gap - w / 2, y },
      { x: x + gap * 0.7 + w / 2, y: y - gap - 3 },
      { x: x - gap * 0.7 - w / 2, y: y - gap - 3 },
      { x: x + gap * 0.7 + w / 2, y: y + gap + 4 },
      { x: x - gap * 0.7 - w / 2, y: y + gap + 4 },
    ].map((place, i) => ({ ...place, box: around(place.x, place.y, w + 4, 15), preference: i * 0.2 }));
    const fitting = places.filter(({ box }) => free(box));
    if (!fitting.length) continue;
    for (const place of fitting) place.cost = place.preference + segments.filter((segment) => crosses(segment, place.box)).length;
    const best = fitting.reduce((a, b) => (b.cost < a.cost ? b : a));
    names.set(node.id, { x: best.x, y: best.y });
    taken.push(best.box);
  }
  const loads = new Map();
  for (const [id, { x, y, length }] of [...shapes].sort((a, b) => b[1].length - a[1].length)) {
    const box = around(x, y, 38, 16);
    if (length < 78 || !free(box) || segments.some((segment) => segment !== shapes.get(id) && crosses(segment, box))) continue;
    loads.set(id, { x, y });
    taken.push(box);
  }
  return { names, loads };
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

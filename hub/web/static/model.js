// The network as this page knows it: topology, newest readings, and the last two minutes of what the sparklines draw.

export const WINDOW = 120_000; // ms of history
const STALE = 15_000; // ms without readings after which a node's figures say nothing

export const METRICS = [
  "paranet_node_up",
  "paranet_node_cpu_ratio",
  "paranet_node_dropped_packets_total",
  "paranet_link_up",
  "paranet_link_utilization_ratio",
  "paranet_link_latency_seconds",
  "paranet_link_transmit_bytes_total",
  "paranet_link_receive_bytes_total",
  "paranet_link_dropped_packets_total",
  "paranet_flow_offered_bytes_total",
  "paranet_flow_delivered_bytes_total",
];

const LINK_FIELDS = {
  paranet_link_up: "up",
  paranet_link_utilization_ratio: "utilization",
  paranet_link_latency_seconds: "latency",
  paranet_link_transmit_bytes_total: "sent",
  paranet_link_receive_bytes_total: "received",
  paranet_link_dropped_packets_total: "dropped",
};
const NODE_SUMS = {
  paranet_node_dropped_packets_total: "dropped",
  paranet_flow_offered_bytes_total: "offered",
  paranet_flow_delivered_bytes_total: "delivered",
};

export class Network {
  known = false; // whether a topology has arrived
  revision = 0; // of the topology
  newest = null; // UNIX ms of the newest reading
  nodes = new Map();
  links = new Map();
  #readings = new Map(); // node -> {now, before, heard}
  #history = new Map(); // key -> [[UNIX ms, value], ...]
  #ports = new Map(); // node -> [link, ...]
  #keys = new Map(); // series key -> [metric, link]

  // ---- topology

  replaceTopology({ revision, nodes, links }) {
    this.nodes = byId(nodes);
    this.links = byId(links);
    this.#changed(revision);
  }

  changeTopology(events) {
    for (const { revision, nodes, links } of events) {
      apply(this.nodes, nodes);
      apply(this.links, links);
      this.#changed(revision);
    }
  }

  #changed(revision) {
    this.known = true;
    this.revision = revision;
    this.#ports = new Map([...this.nodes.keys()].map((id) => [id, []]));
    for (const link of this.links.values()) for (const end of [link.source, link.target]) this.#ports.get(end.node)?.push(link);
    for (const id of this.#readings.keys()) if (!this.nodes.has(id)) this.#readings.delete(id);
    for (const key of this.#history.keys()) {
      const [node, link] = key.split(" ");
      if (!this.nodes.has(node) || (link && !this.links.has(link))) this.#history.delete(key);
    }
  }

  // ---- readings

  replaceReadings(items) {
    this.#readings.clear();
    this.addReadings(items);
  }

  addReadings(items) {
    for (const { ts } of items) this.newest = Math.max(this.newest ?? 0, ts);
    for (const { ts, node, values } of items) {
      const now = this.#parse(ts, values);
      const heard = performance.now() - (this.newest - ts);
      this.#readings.set(node, { now, before: this.#readings.get(node)?.now ?? null, heard });
      this.#remember(node, ts, now.cpu);
      for (const [link, port] of now.ports) this.#remember(`${node} ${link}`, ts, port.utilization);
    }
  }

  #parse(ts, values) {
    const reading = { ts, up: undefined, cpu: undefined, ports: new Map() };
    for (const [key, value] of Object.entries(values)) {
      const [metric, link] = this.#key(key);
      if (metric in LINK_FIELDS) {
        if (!reading.ports.has(link)) reading.ports.set(link, {});
        reading.ports.get(link)[LINK_FIELDS[metric]] = value;
      } else if (metric in NODE_SUMS) {
        reading[NODE_SUMS[metric]] = (reading[NODE_SUMS[metric]] ?? 0) + value;
      } else if (metric === "paranet_node_up") {
        reading.up = value;
      } else if (metric === "paranet_node_cpu_ratio") {
        reading.cpu = value;
      }
    }
    return reading;
  }

  #key(text) {
    let parsed = this.#keys.get(text);
    if (!parsed) {
      parsed = [text.split("{", 1)[0], /[{,]link="([^"]*)"/.exec(text)?.[1]];
      this.#keys.set(text, parsed);
    }
    return parsed;
  }

  /** Take in what the hub remembers: series of the processor load or of how full links are, in seconds and texts as PromQL gives them. */
  recall(series) {
    for (const { metric, values } of series) {
      const key = metric.link === undefined ? metric.node : `${metric.node} ${metric.link}`;
      const told = values.map(([at, value]) => [Math.round(1000 * at), Number(value)]).filter(([ts, value]) => ts >= this.newest - WINDOW && Number.isFinite(value));
      const later = (this.#history.get(key) ?? []).filter(([ts]) => ts > (told.at(-1)?.[0] ?? 0));
      if (this.nodes.has(metric.node)) this.#history.set(key, [...told, ...later]);
    }
  }

  #remember(key, ts, value) {
    if (value === undefined) return;
    const points = this.#history.get(key) ?? [];
    if (points.length && ts <= points.at(-1)[0]) return;
    points.push([ts, value]);
    while (points[0][0] < this.newest - WINDOW) points.shift();
    this.#history.set(key, points);
  }

  #reading(node) {
    const reading = this.#readings.get(node);
    return reading && performance.now() - reading.heard < STALE ? reading : null;
  }

  // ---- what there is to show

  linksOf(node) {
    return this.#ports.get(node) ?? [];
  }

  /** Points of the last two minutes: a node's processor load, or with *link* how full it is as seen from *node*. */
  history(node, link = null) {
    return this.#history.get(link ? `${node} ${link}` : node) ?? [];
  }

  /** up, down or unknown */
  status(id) {
    const reading = this.#reading(id);
    return reading === undefined || reading === null ? "unknown" : reading.now.up === 0 ? "down" : "up";
  }

  /** A node's figures now; `status` is up, down or unknown. */
  node(id) {
    const { now, before } = this.#reading(id) ?? {};
    if (!now) return { status: "unknown" };
    const ports = [...now.ports].map(([link, port]) => [port, before?.ports.get(link)]);
    const seconds = before ? (now.ts - before.ts) / 1000 : 0;
    const sum = (field) => total(ports.map(([port, old]) => rate(port[field], old?.[field], seconds)));
    return {
      status: this.status(id),
      cpu: now.cpu,
      sending: times(8, sum("sent")),
      receiving: times(8, sum("received")),
      drops: rate(now.dropped, before?.dropped, seconds),
      offered: times(8, rate(now.offered, before?.offered, seconds)),
      delivered: times(8, rate(now.delivered, before?.delivered, seconds)),
    };
  }

  /** One direction of a link now: what *from* sends into it. */
  direction(link, from) {
    const { now, before } = this.#reading(from) ?? {};
    const port = now?.ports.get(link.id);
    if (!port) return {};
    const old = before?.ports.get(link.id);
    const seconds = before ? (now.ts - before.ts) / 1000 : 0;
    return {
      utilization: port.utilization,
      latency: port.latency,
      sending: times(8, rate(port.sent, old?.sent, seconds)),
      drops: rate(port.dropped, old?.dropped, seconds),
    };
  }

  /** Whether an end says that the link is down. */
  down(link) {
    return [link.source, link.target].some((end) => this.#reading(end.node)?.now.ports.get(link.id)?.up === 0);
  }

  /** How full a link is: the fuller direction's utilisation, undefined while neither end tells. */
  utilization(link) {
    const both = [link.source, link.target].map((end) => this.#reading(end.node)?.now.ports.get(link.id)?.utilization);
    const told = both.filter((value) => value !== undefined);
    return told.length ? Math.max(...told) : undefined;
  }

  /** Sums over the network. */
  totals() {
    const nodes = [...this.nodes.keys()].map((id) => [id, this.node(id)]);
    const ends = [...this.links.values()].flatMap((link) => [link.source, link.target].map((end) => [end.node, this.direction(link, end.node).drops]));
    const drops = [...ends, ...nodes.map(([id, figures]) => [id, figures.drops])].filter(([, value]) => value !== undefined);
    const at = drops.reduce((worst, drop) => (drop[1] > worst[1] ? drop : worst), [null, 0])[0];
    return {
      silent: nodes.filter(([, figures]) => figures.status !== "up").length,
      offered: total(nodes.map(([, figures]) => figures.offered)),
      delivered: total(nodes.map(([, figures]) => figures.delivered)),
      drops: total(drops.map(([, value]) => value)),
      dropsMostlyAt: at,
    };
  }
}

const byId = (items) => new Map(items.map((item) => [item.id, item]));
const times = (factor, value) => (value === undefined ? undefined : factor * value);

function apply(parts, { added, changed, removed }) {
  for (const id of removed) parts.delete(id);
  for (const part of [...added, ...changed]) parts.set(part.id, part);
}

/** Per second; a counter that went back has started anew and tells nothing this time. */
function rate(now, before, seconds) {
  return now === undefined || before === undefined || seconds <= 0 || now < before ? undefined : (now - before) / seconds;
}

function total(values) {
  const told = values.filter((value) => value !== undefined);
  return told.length ? told.reduce((sum, value) => sum + value, 0) : undefined;
}

// The side panel: the whole network, or the node or link one looks at.

import { html } from "htm/preact";
import { bitrate, capacity, coordinates, milliseconds, NONE, packets, percent } from "./format.js";
import { t } from "./i18n.js";
import { KINDS, kindOf, loadClass } from "./kinds.js";
import { WINDOW } from "./model.js";
import { Changes, LinkForm, NodeForm, NodeMore } from "./network-panel-more.js";

const BUSIEST = 8;
const CHART = { width: 288, height: 44 };
const GAP = 5_000; // ms between two points that are not joined by a line

export function Panel({ network, focus, shell, edit }) {
  const { shown } = focus;
  if (shown?.kind === "node") return html`<${NodePanel} node=${network.nodes.get(shown.id)} ...${{ network, focus, shell, edit }} />`;
  if (shown?.kind === "link") return html`<${LinkPanel} link=${network.links.get(shown.id)} ...${{ network, focus, shell, edit }} />`;
  return html`<${Overview} ...${{ network, focus, shell, edit }} />`;
}

function Overview({ network, focus, shell, edit }) {
  const { silent, offered, delivered, drops, dropsMostlyAt } = network.totals();
  const busiest = [...network.links.values()]
    .map((link) => ({ link, load: network.utilization(link), text: ends(network, link).join(" – ") }))
    .filter(({ load }) => load !== undefined)
    .sort((a, b) => b.load - a.load)
    .slice(0, BUSIEST);
  const down = [...network.links.values()].filter((link) => link.enabled && network.down(link)).length;
  const reporting = network.newest === null ? t("no data yet") : silent ? t("without data: {count}", { count: silent }) : t("all reporting");
  return html`
    <header><p class="kicker">${t("Overview")}</p><h2>${t("Network")}</h2></header>
    <dl class="figures">
      <${Figure} name=${t("Nodes")} value=${network.nodes.size} note=${reporting} bad=${network.newest !== null && silent > 0} />
      <${Figure} name=${t("Links")} value=${network.links.size} note=${down ? t("down: {count}", { count: down }) : t("revision {revision}", { revision: network.revision })} bad=${down > 0} />
      <${Figure} name=${t("Delivered")} value=${bitrate(delivered)} note=${offered !== undefined && t("{rate} offered", { rate: bitrate(offered) })} />
      <${Figure} name=${t("Dropped")} value=${packets(drops)} note=${drops >= 1 && t("most at {node}", { node: network.nodes.get(dropsMostlyAt).name })} bad=${drops >= 1} />
    </dl>
    ${busiest.length > 0 && html`<h3>${t("Busiest links")}</h3><${LinkList} rows=${busiest} focus=${focus} />`}
    <${Changes} key="changes" ...${{ shell, edit }} revision=${network.revision} />`;
}

function NodePanel({ network, focus, node, shell, edit }) {
  const figures = network.node(node.id);
  const kind = KINDS[kindOf(node.type)].text;
  const address = node.interfaces.find(({ name }) => name === "lo")?.address ?? node.interfaces.find(({ address }) => address)?.address;
  const rows = network.linksOf(node.id).map((link) => {
    const far = link.source.node === node.id ? link.target : link.source;
    return { link, load: network.utilization(link), down: network.down(link), text: network.nodes.get(far.node)?.name ?? far.node };
  });
  return html`
    <${Title} focus=${focus} kicker=${kindOf(node.type) === "other" ? node.type : kind} name=${node.name} />
    <p class="facts">
      <code>${node.id}</code>
      ${node.modalities.map((name) => html`<span class="chip">${name.toUpperCase()}</span>`)}
      ${STATUS[figures.status]}
    </p>
    ${edit.on && isSelected(focus, node) && html`<${NodeForm} key="form ${node.id}" ...${{ node, edit }} />`}
    <dl class="figures">
      <${Figure} name=${t("Sending")} value=${bitrate(figures.sending)} />
      <${Figure} name=${t("Receiving")} value=${bitrate(figures.receiving)} />
      <${Figure} name=${t("Processor")} value=${percent(figures.cpu)} />
      <${Figure} name=${t("Dropped")} value=${packets(figures.drops)} bad=${figures.drops >= 1} />
    </dl>
    <${Chart} points=${network.history(node.id)} newest=${network.newest} text=${t("Processor load")} />
    ${rows.length > 0 && html`<h3>${t("Links")}</h3><${LinkList} rows=${rows} focus=${focus} />`}
    <dl class="details">
      ${node.region && html`<dt>${t("Region")}</dt><dd>${node.region}</dd>`}
      ${node.location && html`<dt>${t("Location")}</dt><dd>${coordinates(node.location)}</dd>`}
      ${address && html`<dt>${t("Address")}</dt><dd><code>${address}</code></dd>`}
      <dt>${t("Type")}</dt><dd><code>${node.type}</code></dd>
    </dl>
    ${isSelected(focus, node) && html`<${NodeMore} key=${node.id} ...${{ shell, node }} revision=${network.revision} />`}`;
}

/** What is only looked at in passing asks the hub nothing. */
const isSelected = ({ selected }, { id }) => selected?.id === id;

const STATUS = {
  up: null,
  down: html`<span class="chip bad">${t("down")}</span>`,
  unknown: html`<span class="chip bad">${t("no data")}</span>`,
};

function LinkPanel({ network, focus, link, shell, edit }) {
  const [source, target] = ends(network, link);
  return html`
    <${Title} focus=${focus} kicker=${t("Link")} name="${source} – ${target}" />
    <p class="facts">
      <code>${link.id}</code><span class="chip">${capacity(link.bandwidth)}</span>
      ${!link.enabled ? html`<span class="chip bad">${t("disabled")}</span>` : network.down(link) && STATUS.down}
    </p>
    ${edit.on && isSelected(focus, link) && html`<${LinkForm} key="form ${link.id}" ...${{ link, edit }} />`}
    <${Direction} ...${{ network, link }} from=${link.source.node} text="${source} → ${target}" />
    ${!link.directed && html`<${Direction} ...${{ network, link }} from=${link.target.node} text="${target} → ${source}" />`}
    <dl class="details">
      <dt>${t("Ports")}</dt><dd>${[link.source, link.target].map((end) => end.interface ?? NONE).join(" – ")}</dd>
      <dt>${t("Latency, nominal")}</dt><dd>${milliseconds(link.latency)}</dd>
      <dt>MTU</dt><dd>${t("{count} bytes", { count: link.mtu })}</dd>
      <dt>${t("Cost")}</dt><dd>${link.cost}</dd>
    </dl>
    ${isSelected(focus, link) && html`<${Changes} key=${link.id} shell=${shell} id=${link.id} revision=${network.revision} />`}`;
}

function Direction({ network, link, from, text }) {
  const { utilization, latency, sending, drops } = network.direction(link, from);
  return html`
    <h3>${text}</h3>
    <dl class="figures">
      <${Figure} name=${t("Load")} value=${percent(utilization)} bad=${utilization >= 0.8} />
      <${Figure} name=${t("Traffic")} value=${bitrate(sending)} />
      <${Figure} name=${t("Latency")} value=${milliseconds(latency)} />
      <${Figure} name=${t("Dropped")} value=${packets(drops)} bad=${drops >= 1} />
    </dl>
    <${Chart} points=${network.history(from, link.id)} newest=${network.newest} text=${t("Load {ends}", { ends: text })} />`;
}

function Title({ focus, kicker, name }) {
  return html`
    <header>
      <p class="kicker">${kicker}</p>
      <h2>${name}</h2>
      ${focus.selected &&
      html`<button type="button" class="close" aria-label=${t("Back to the overview")} title=${t("Back to the overview (Esc)")}
        onClick=${() => focus.select(null)}>×</button>`}
    </header>`;
}

function Figure({ name, value, note, bad }) {
  return html`<div class=${bad ? "bad" : ""}><dt>${name}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`;
}

function LinkList({ rows, focus }) {
  return html`
    <ul class="links">
      ${rows.map(
        ({ link, load, down, text }) => html`
          <li key=${link.id}>
            <button type="button" onClick=${() => focus.select({ kind: "link", id: link.id })} title=${link.id}>
              <span class="name">${text}</span><span class=${down ? "value bad" : "value"}>${down ? t("down") : percent(load)}</span>
              <svg class="bar ${loadClass(link, load, down)}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                <rect class="track" width="100" height="4" /><rect class="fill" width=${(100 * Math.min(1, load ?? 0)).toFixed(1)} height="4" />
              </svg>
            </button>
          </li>`,
      )}
    </ul>`;
}

/** The last two minutes of a ratio; the scale is 0 to 100 %, or the next lower step that holds everything. */
function Chart({ points, newest, text }) {
  const { width, height } = CHART;
  const most = Math.max(0, ...points.map(([, value]) => value));
  const top = [0.1, 0.25, 0.5, 1].find((step) => most <= step) ?? most;
  const x = (ts) => (width * (1 - (newest - ts) / WINDOW)).toFixed(1);
  const y = (value) => (height - 1 - (height - 2) * (value / top)).toFixed(1);
  const runs = points.reduce((found, point) => {
    const run = found.at(-1);
    if (run && point[0] - run.at(-1)[0] <= GAP) run.push(point);
    else found.push([point]);
    return found;
  }, []);
  const trace = (run) => run.map(([ts, value]) => `${x(ts)} ${y(value)}`).join("L");
  return html`
    <figure class="chart" data-since=${points[0]?.[0]}>
      <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label=${t("{text}, last two minutes", { text })}>
        ${[1, height / 2].map((at) => html`<line class="grid" x1="0" x2=${width} y1=${at} y2=${at} />`)}
        <line class="base" x1="0" x2=${width} y1=${height - 1} y2=${height - 1} />
        ${runs.map(
          (run) => html`
            <path class="area" d="M${x(run[0][0])} ${height - 1}L${trace(run)}L${x(run.at(-1)[0])} ${height - 1}Z" />
            <path class="trace" d="M${trace(run)}" />`,
        )}
      </svg>
      <figcaption><span>${t("2 min ago")}</span><span>${t("{share} full scale", { share: percent(top) })}</span><span>${t("now")}</span></figcaption>
    </figure>`;
}

const ends = (network, link) => [link.source, link.target].map((end) => network.nodes.get(end.node)?.name ?? end.node);

// The list of deployments: the newest come over the socket, older ones and those on one device are asked for.

import { html, useEffect, useRef, useState } from "htm/preact";
import { STATES } from "./hub-words.js";
import { t } from "./i18n.js";
import { Moment, ms, Problem } from "./watch-parts.js";

const LIVE_MOST = 500; // deployments kept of those the socket tells
const FOUND_MOST = 1000; // and of those asked for
const PAGE = 50;

export const ENDINGS = new Set(["succeeded", "rolled_back", "cancelled", "failed"]);
/** How far a device is: sign, word, look. */
export const STEPS = {
  planned: ["○", t("planned"), "wait"],
  checked: ["◔", t("checked"), "wait"],
  staged: ["◑", t("staged"), "ready"],
  committing: ["◕", t("committing"), "ready"],
  committed: ["●", t("committed"), "live"],
  confirmed: ["✓", t("confirmed"), "good"],
  restored: ["↺", t("restored"), "warn"],
  refused: ["✕", t("refused"), "bad"],
  failed: ["✕", t("failed"), "bad"],
};
const LOOKS = { succeeded: "good", failed: "bad", rolled_back: "warn", rolling_back: "warn", cancelled: "warn", cancelling: "warn" };

export function StateChip({ state }) {
  return html`<span class="chip state ${LOOKS[state] ?? "busy"}">${STATES[state] ?? state}</span>`;
}

/** A deployment as the list shows it; the history tells whole ones, the channel counts. */
function brief(item) {
  const waves = Array.isArray(item.waves) ? item.waves : null;
  const counted = waves ? { waves: waves.length, devices: waves.reduce((sum, wave) => sum + wave.devices.length, 0) } : {};
  return { ...item, ...counted, started_at: ms(item.started_at), ended_at: ms(item.ended_at), eta: ms(item.eta) };
}

export class Deployments {
  known = false;
  moved = 0; // counts what has come
  begun = 0; // counts how often what was found no longer lay behind what is live
  end = null; // id of the oldest that all newer ones are here of: one that has not ended the hub tells of however old it is
  #live = new Map();
  #found = new Map();

  get = (id) => this.#live.get(id) ?? this.#found.get(id) ?? null;

  get newest() {
    return [...this.#live.keys()].sort().at(-1) ?? null;
  }

  replace(items) {
    this.known = true;
    this.#live.clear();
    this.#forget();
    const ended = items.filter(({ state }) => ENDINGS.has(state));
    this.end = (ended.length > 0 ? ended : items).map(({ deploy_id }) => deploy_id).sort()[0] ?? null;
    this.change(items);
  }

  #forget() {
    this.begun += 1;
    this.#found.clear();
  }

  change(items) {
    this.moved += 1;
    for (const item of items) this.#live.set(item.deploy_id, brief(item));
    const ended = [...this.#live.keys()].sort().filter((id) => ENDINGS.has(this.#live.get(id).state));
    const gone = ended.splice(0, Math.max(0, this.#live.size - LIVE_MOST));
    for (const id of gone) this.#live.delete(id);
    if (gone.at(-1) >= this.end) this.end = ended[0] ?? this.end;
    if (gone.length > 0 && this.#found.size > 0) this.#forget();
  }

  find(items, fresh) {
    if (fresh) this.#found.clear();
    for (const item of items.slice(0, Math.max(0, FOUND_MOST - this.#found.size))) this.#found.set(item.deploy_id, brief(item));
    return this.#found.size >= FOUND_MOST;
  }

  /** Newest first. What is on a device only the hub knows: then only those that were found count. */
  rows({ state, author, node }) {
    const ids = new Set(node ? this.#found.keys() : [...this.#live.keys(), ...this.#found.keys()]);
    const items = [...ids].sort().reverse().map(this.get);
    return items.filter((item) => (!state || item.state === state) && (!author || item.author === author));
  }
}

const NONE = { state: "", author: "", node: "" };
const UNASKED = { next: null, asked: false, full: false, error: null, busy: false };

export function List({ shell, deployments, selected, onSelect, live }) {
  const [filter, setFilter] = useState(NONE);
  const [more, setMore] = useState(UNASKED);
  const turn = useRef(0);
  const filtered = Object.values(filter).some(Boolean);
  const rows = deployments.rows(filter);
  const find = async (cursor) => {
    const [mine, { begun }] = [++turn.current, deployments];
    const counts = () => mine === turn.current && begun === deployments.begun; // else something else is looked for by now
    setMore((old) => ({ ...old, busy: true, error: null }));
    try {
      const wanted = Object.fromEntries(Object.entries({ ...filter, cursor }).filter(([, value]) => value));
      const { body } = await shell.client.ask("deploy.history", { limit: PAGE, ...wanted });
      if (!counts()) return;
      const full = deployments.find(body.items, !cursor);
      setMore({ next: body.next, asked: true, full, error: null, busy: false });
    } catch (error) {
      if (counts()) setMore((old) => ({ ...old, error, busy: false }));
    }
  };
  const restart = () => {
    turn.current += 1;
    deployments.find([], true);
    setMore(UNASKED);
  };
  useEffect(restart, [deployments.begun]);
  useEffect(() => {
    if (!live || !filtered) return undefined;
    const timer = setTimeout(() => find(null), 250);
    return () => clearTimeout(timer);
  }, [live, filter, filter.node ? deployments.newest : null, deployments.begun]);
  const set = (name) => ({ target }) => {
    restart(); // what one filter found is not all that another shows
    setFilter({ ...filter, [name]: target.value.trim() });
  };
  const older = more.asked ? more.next : deployments.end;
  return html`
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <label>${t("State")}<select value=${filter.state} onChange=${set("state")}>
        <option value="">${t("any")}</option>
        ${Object.entries(STATES).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
      </select></label>
      <label>${t("By")}<input value=${filter.author} placeholder=${t("anybody")} onInput=${set("author")} autocapitalize="none" spellcheck=${false} /></label>
      <label>${t("On device")}<input value=${filter.node} placeholder=${t("any")} onInput=${set("node")} autocapitalize="none" spellcheck=${false} /></label>
    </form>
    <${Problem} error=${more.error} />
    ${rows.length === 0 && html`<p class="none">${filtered && !more.asked && !more.error ? t("Asking…") : filtered ? t("No deployment is like that.") : t("Nothing has been deployed yet. Write an intent, look at the preview, deploy it: it appears here at once.")}</p>`}
    <ul class="items">
      ${rows.map((item) => html`<${Item} key=${item.deploy_id} ...${{ item, onSelect }} selected=${item.deploy_id === selected} />`)}
    </ul>
    ${more.full
      ? html`<p class="none">${t("The newest {count} are shown: filter for others.", { count: FOUND_MOST })}</p>`
      : older && rows.length >= 20 && html`<button type="button" class="more" disabled=${more.busy} onClick=${() => find(older)}>${t("Older")}</button>`}`;
}

export const kindOf = (item) => (item.rolls_back ? t("Rollback") : item.restores ? t("Restoring drift") : t("Deployment"));
export const shortId = (id) => id.slice(-12);

function Item({ item, selected, onSelect }) {
  const running = !ENDINGS.has(item.state);
  return html`
    <li>
      <button type="button" class="item" aria-current=${selected ? "true" : undefined} data-deployment=${item.deploy_id} data-state=${item.state}
        onClick=${() => onSelect(item.deploy_id)}>
        <span class="title">${kindOf(item)} <code>${shortId(item.deploy_id)}</code></span>
        <${StateChip} state=${item.state} />
        <span class="sub"><${Moment} at=${item.started_at} /> · ${item.author} · ${t("devices: {count}", { count: item.devices })}</span>
        ${running && html`<span class="percent">${item.percent} %</span><${Bar} percent=${item.percent} />`}
      </button>
    </li>`;
}

export function Bar({ percent, look = "busy" }) {
  return html`<svg class="progress ${look}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="4" /><rect class="fill" width=${percent} height="4" />
  </svg>`;
}

// What stands over the map: search, how large one sees it, files in and out, the tools of changing it.

import { html, useState } from "htm/preact";
import { t } from "./i18n.js";
import { TwoStep } from "./operators-panel.js";

const FOUND = 8;
const FORMATS = { json: "JSON", yaml: "YAML", graphml: "GraphML", "node-link": "node-link JSON", netjson: "NetJSON", rfc8345: "RFC 8345", containerlab: "containerlab", netlab: "netlab", paranet: "ParaNet", geojson: "GeoJSON", dot: "DOT" };

/** *onHead* is given what stands on top of the map. */
export function Tools({ network, focus, viewport, shell, edit, onFile, onHead }) {
  return html`
    <div class="tools-head" ref=${onHead}><div class="tools-top">
      <${Search} ...${{ network }} onFind=${(part) => focus.find(part)} />
      <${Files} operates=${shell.operates} onFile=${onFile} />
      ${shell.operates && html`<button type="button" aria-pressed=${edit.on} onClick=${() => edit.turn(!edit.on)}>${t("Edit")}</button>`}
    </div>
    ${edit.on && html`<${EditTools} ...${{ edit, focus, viewport }} />`}</div>
    <div class="tools-zoom" role="group" aria-label=${t("Zoom")}>
      <button type="button" title=${t("Larger (+)")} aria-label=${t("Larger (+)")} onClick=${viewport.larger}>+</button>
      <button type="button" title=${t("Smaller (−)")} aria-label=${t("Smaller (−)")} onClick=${viewport.smaller}>−</button>
      <button type="button" title=${t("The whole network (0)")} aria-label=${t("The whole network (0)")} onClick=${viewport.whole}>
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" /></svg>
      </button>
    </div>`;
}

/** Nodes and links by name or id; the better matches first. */
function search(network, wanted) {
  const rank = (text) => (text === wanted ? 0 : text.startsWith(wanted) ? 1 : text.includes(wanted) ? 2 : 9);
  const parts = [
    ...[...network.nodes.values()].map(({ id, name }) => ({ kind: "node", id, text: name, more: name === id ? "" : id, rank: Math.min(rank(name.toLowerCase()), rank(id.toLowerCase())) })),
    ...[...network.links.values()].map(({ id, source, target }) => ({ kind: "link", id, text: id, more: `${source.node} – ${target.node}`, rank: rank(id.toLowerCase()) })),
  ];
  return parts.filter((part) => part.rank < 9).sort((a, b) => a.rank - b.rank || (a.text < b.text ? -1 : 1)).slice(0, FOUND);
}

function Search({ network, onFind }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const wanted = text.trim().toLowerCase();
  const found = wanted ? search(network, wanted) : [];
  const take = (part) => {
    if (!part) return;
    onFind({ kind: part.kind, id: part.id });
    setText("");
  };
  const onKeyDown = (event) => {
    const move = (step) => setAt((at + step + found.length) % found.length);
    const keys = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => take(found[at]), Escape: () => setText("") };
    if (!keys[event.key] || !wanted) return;
    event.preventDefault();
    event.stopPropagation();
    if (found.length || event.key === "Escape") keys[event.key]();
  };
  return html`
    <div class="search" role="search">
      <input type="search" role="combobox" placeholder=${t("Search nodes and links")} aria-label=${t("Search nodes and links")} value=${text} autocomplete="off" spellcheck=${false}
        aria-expanded=${wanted !== ""} aria-controls="found" aria-activedescendant=${found.length ? `found-${at}` : undefined} aria-autocomplete="list"
        onInput=${({ currentTarget }) => (setText(currentTarget.value), setAt(0))} onKeyDown=${onKeyDown} />
      <ul id="found" role="listbox" aria-label=${t("Found")} hidden=${!wanted}>
        ${found.map(
          (part, i) => html`<li key="${part.kind} ${part.id}" id="found-${i}" role="option" aria-selected=${i === at} onMouseDown=${(event) => (event.preventDefault(), take(part))}>
            <span>${part.text}</span><small>${part.kind === "link" ? t("Link") : ""} ${part.more}</small>
          </li>`,
        )}
        ${wanted && found.length === 0 && html`<li role="option" aria-disabled="true" aria-selected="false">${t("Nothing is called that.")}</li>`}
      </ul>
    </div>`;
}

function Files({ operates, onFile }) {
  const [open, setOpen] = useState(false);
  return html`
    <details class="menu" open=${open} onToggle=${({ currentTarget }) => setOpen(currentTarget.open)}
      onKeyDown=${(event) => event.key === "Escape" && (event.stopPropagation(), setOpen(false))}>
      <summary>${t("Files")}</summary>
      <div class="menu-body">
        ${operates &&
        html`<label class="file">${t("Import a file…")}<input type="file" onChange=${({ currentTarget }) => (onFile(currentTarget.files[0]), (currentTarget.value = ""), setOpen(false))} /></label>
          <p class="none">${t("Or drop one on the map.")}</p>`}
        <p class="menu-head">${t("Export as")}</p>
        <ul>${Object.entries(FORMATS).map(([format, name]) => html`<li key=${format}><a href="/api/v1/topology/export?format=${format}" download onClick=${() => setOpen(false)}>${name}</a></li>`)}</ul>
      </div>
    </details>`;
}

function EditTools({ edit, focus, viewport }) {
  const { tool, edits } = edit;
  const add = () => {
    edit.take("add");
    if (edit.tool) viewport.stage.focus(); // where Enter means the middle
  };
  const words = {
    add: t("Click where it is to stand, or press Enter for the middle."),
    connect: edit.from ? t("From {node}: choose the other end.", { node: edit.from }) : t("Choose the two ends."),
  };
  const part = focus.selected;
  return html`
    <div class="tools-edit" role="toolbar" aria-label=${t("Change the network")}>
      <button type="button" aria-pressed=${tool === "add"} onClick=${add}>${t("Add node")}</button>
      <button type="button" aria-pressed=${tool === "connect"} onClick=${() => edit.take("connect")}>${t("Connect")}</button>
      <${TwoStep} key=${part?.id ?? ""} text=${t("Delete")} confirm=${t("Confirm delete")} disabled=${!part || edits.busy} onAct=${() => edit.remove()} />
      <button type="button" disabled=${!edits.last || edits.busy} title=${edits.last ?? ""} onClick=${edits.undo}>${t("Undo")}</button>
      <p class=${edits.note?.bad ? "note bad" : "note"} role=${edits.note?.bad ? "alert" : "status"}>${words[tool] ?? edits.note?.text ?? t("Drag nodes to move them.")}</p>
    </div>`;
}

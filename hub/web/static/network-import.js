// A file is taken in: first the hub says what would come, change and go; then a person decides.

import { html, useEffect, useState } from "htm/preact";
import { t } from "./i18n.js";
import { Problem } from "./watch-parts.js";

const LISTED = 12; // ids of one kind that are named
const WARNINGS = 8;
const MODES = { replace: t("Instead of the network there is"), merge: t("On top of the network there is") };

export function ImportDialog({ file, rest, edits, onClose }) {
  const [mode, setMode] = useState("replace");
  const [look, setLook] = useState({ result: null, problem: null, busy: true });
  const [refused, setRefused] = useState(null); // why it was not taken in: the network may be another one by now, so one looks again
  const send = (dry, more = {}) => {
    const body = new FormData();
    body.append("file", file, file.name);
    return rest.send(`/topology/import?mode=${mode}&layout=true${dry ? "&dry_run=true" : ""}`, body, more);
  };
  useEffect(() => {
    let over = false;
    setLook((old) => ({ result: refused && old.result, problem: null, busy: true }));
    send(true).then(
      ({ body }) => over || setLook({ result: body, problem: null, busy: false }),
      (problem) => over || setLook((old) => ({ ...old, problem, busy: false })),
    );
    return () => (over = true);
  }, [file, mode, refused]);
  const take = async () => {
    setLook((old) => ({ ...old, busy: true }));
    const done = await edits.other(t("Took {file} in.", { file: file.name }), () => send(false, { "If-Match": `"${look.result.revision}"` }));
    if (done) onClose();
    else setRefused(new Error(edits.note.text));
  };
  const { result, problem, busy } = look;
  return html`
    <dialog class="import" aria-labelledby="import-title" ref=${(element) => element && !element.open && element.showModal()} onCancel=${onClose}>
      <h2 id="import-title">${t("Import {file}", { file: file.name })}</h2>
      <fieldset>
        <legend>${t("Take it in")}</legend>
        ${Object.entries(MODES).map(([name, text]) => html`<label key=${name}><input type="radio" name="mode" value=${name} checked=${mode === name} onChange=${() => (setMode(name), setRefused(null))} /> ${text}</label>`)}
      </fieldset>
      ${busy && !result && html`<p class="none" role="status">${t("The hub reads it…")}</p>`}
      <${Problem} error=${problem ?? refused} />
      ${result && html`<${Difference} result=${result} />`}
      <div class="actions">
        <button type="button" onClick=${onClose}>${t("Leave it")}</button>
        <button type="button" class="primary" disabled=${busy || !result || !changes(result)} onClick=${take}>${busy && result ? t("Working…") : t("Import")}</button>
      </div>
    </dialog>`;
}

const KINDS = { nodes: t("Nodes"), links: t("Links"), demands: t("Demands") };
const SIDES = { added: [t("come"), "+", "add"], changed: [t("change"), "~", "change"], removed: [t("go"), "−", "remove"] };
const changes = (result) => Object.keys(SIDES).some((side) => Object.values(result[side]).some((ids) => ids.length)) || result.properties;

function Difference({ result }) {
  const rows = Object.entries(KINDS).flatMap(([kind, name]) => Object.entries(SIDES).map(([side, look]) => ({ kind, name, look, ids: result[side][kind] ?? [] })));
  const told = rows.filter(({ ids }) => ids.length);
  return html`
    <p class="none">${t("Read as {format}.", { format: result.format })}</p>
    ${told.length === 0 && html`<p>${t("The network is like that already.")}</p>`}
    <dl class="difference">
      ${told.map(
        ({ kind, name, look: [word, sign, colour], ids }) => html`
          <dt key="${kind} ${word}" class=${colour}>${sign}${ids.length} ${name} ${word}</dt>
          <dd><code>${ids.slice(0, LISTED).join(", ")}</code>${ids.length > LISTED && ` ${t("and {count} more", { count: ids.length - LISTED })}`}</dd>`,
      )}
    </dl>
    ${result.warnings.length > 0 &&
    html`<h3>${t("To be looked at")}</h3>
      <ul class="warnings">
        ${result.warnings.slice(0, WARNINGS).map(({ path, message }) => html`<li key="${path} ${message}">${path && html`<code>${path}</code> `}${message}</li>`)}
        ${result.warnings.length > WARNINGS && html`<li>${t("and {count} more", { count: result.warnings.length - WARNINGS })}</li>`}
      </ul>`}`;
}

// What was compiled, newest first; two of them side by side.

import { html } from "htm/preact";
import { language, t } from "./i18n.js";
import { Diff, tally } from "./intents-result.js";

const TIME = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function History({ items, next, picked, comparison, problem, busy, onOpen, onPick, onMore }) {
  if (items.length === 0 && !problem) return html`<p class="none">${t("Nothing has been compiled yet.")}</p>`;
  return html`
    ${problem && html`<p class="note bad" role="alert">${problem}</p>`}
    ${comparison ? html`<${Comparison} ...${comparison} />` : html`<p class="hint">${t("Choose two to compare them.")}</p>`}
    <ul class="history">
      ${items.map(
        (entry) => html`<li key=${entry.id}>
          <p>
            <time datetime=${entry.at}>${TIME.format(new Date(entry.at))}</time> ${entry.author}
            ${entry.name && html` <span class="chip">${entry.name}</span>`} ${!entry.ok && html`<span class="chip bad">${t("errors")}</span>`}
          </p>
          <code>${firstLine(entry.source)}</code>
          <div class="actions">
            <button type="button" disabled=${busy} onClick=${() => onOpen(entry)}>${t("Open")}</button>
            <button type="button" aria-pressed=${picked.includes(entry.id)} onClick=${() => onPick(entry.id)}>${t("Compare")}</button>
          </div>
        </li>`,
      )}
    </ul>
    ${next && html`<button type="button" onClick=${onMore}>${t("Older ones")}</button>`}`;
}

const firstLine = (source) => source.split("\n").find((line) => line.trim() && !line.trim().startsWith("//")) ?? t("(empty)");

const KINDS = { "+": "add", "-": "remove", "@": "place" };

function Comparison({ a, b, source, devices }) {
  const title = [a, b].map(({ at }) => TIME.format(new Date(at))).join(" → ");
  return html`
    <section class="comparison" aria-label=${t("Comparison")}>
      <h3>${title}</h3>
      ${source.length === 0 ? html`<p class="none">${t("The sources are the same.")}</p>` : html`<pre class="lines-diff" tabindex="0">${source.slice(2).map((line) => html`<span class=${KINDS[line[0]] ?? ""}>${line}${"\n"}</span>`)}</pre>`}
      ${devices.map(({ node, diff }) => html`<details key=${node}><summary>${node} <span class="chip">${tally(diff)}</span></summary><${Diff} diff=${diff} /></details>`)}
    </section>`;
}

// The log of one deployment, from channel deploy/<id>.

import { html, useEffect, useLayoutEffect, useRef, useState } from "htm/preact";
import { STEPS } from "./deployments-list.js";
import { coded, inWords, STATES } from "./hub-words.js";
import { t } from "./i18n.js";
import { Moment } from "./watch-parts.js";

const KEPT = 20_000; // entries kept; above it the oldest go, and the page says so
const SHOWN = 300; // entries drawn at once

const EMPTY = { events: [], own: [], steps: new Map() };

/**
 * The log with what *more* entries say. Of its *events* only the newest are kept; what has to be known to the end stands apart: the deployment's
 * *own* entries, a few for each wave, and the last step of each device.
 */
function longer({ events, own, steps }, more) {
  const whole = [...events, ...more];
  const told = more.filter(({ device }) => device !== null).map(({ device, step, message }) => [device, { state: step, message }]);
  return { events: whole.slice(-KEPT), own: [...own, ...more.filter(({ device }) => device === null)], steps: new Map([...steps, ...told]) };
}

/** Follows the log; a change is drawn once a frame, however many entries it brings. */
export function useLog(shell, id) {
  const [log, setLog] = useState({ ...EMPTY, error: null });
  useEffect(() => {
    if (id === null) return undefined;
    let known = EMPTY;
    let frame = null;
    const show = () => (frame ??= requestAnimationFrame(() => ((frame = null), setLog({ ...known, error: null }))));
    const refused = ({ detail }) => detail.channel === `deploy/${id}` && setLog({ ...known, error: detail });
    shell.client.addEventListener("problem", refused);
    const end = shell.client.subscribe(`deploy/${id}`, {
      onReset: () => ((known = EMPTY), show()),
      onEvents(items) {
        const last = known.events.at(-1)?.seq ?? 0;
        known = longer(known, items.filter(({ seq }) => seq > last));
        show();
      },
    });
    return () => {
      end();
      shell.client.removeEventListener("problem", refused);
      cancelAnimationFrame(frame);
    };
  }, [id]);
  return log;
}

export function Log({ log }) {
  const [follow, setFollow] = useState(true);
  const [shown, setShown] = useState(SHOWN);
  const [text, setText] = useState("");
  const box = useRef(null);
  const { events, error } = log;
  const wanted = text.trim().toLowerCase();
  const found = wanted ? events.filter((event) => said(event).toLowerCase().includes(wanted)) : events;
  const gaps = events.length > 0 && events.at(-1).seq - events[0].seq + 1 !== events.length;
  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [found.length, follow]);
  return html`
    <div class="log-head">
      <h2>${t("Log")} <span class="sub">${t("entries: {count}", { count: events.length })}</span></h2>
      <label class="inline"><input type="checkbox" checked=${follow} onChange=${({ target }) => setFollow(target.checked)} /> ${t("Follow")}</label>
      <label class="inline">${t("Find")} <input type="search" value=${text} onInput=${({ target }) => setText(target.value)} spellcheck=${false} /></label>
    </div>
    ${error && html`<div class="problem" role="alert"><p>${coded({ code: error.code, message: error.detail })}</p></div>`}
    ${gaps && html`<div class="problem" role="alert"><p>${t("Entries are missing: reload the page.")}</p></div>`}
    <div class="log" ref=${box} role="log" aria-label=${t("Log")} tabindex="0" data-entries=${events.length} data-last=${events.at(-1)?.seq ?? 0}>
      ${events[0]?.seq > 1 && html`<p class="none">${t("The first {count} entries are not kept here.", { count: events[0].seq - 1 })}</p>`}
      ${found.length > shown && html`<button type="button" class="more" onClick=${() => setShown(shown + 4 * SHOWN)}>${t("{count} earlier entries", { count: found.length - shown })}</button>`}
      <ol>
        ${found.slice(-shown).map(
          (event) => html`<li key=${event.seq} class=${["refused", "failed"].includes(event.step) || event.state === "failed" ? "bad" : ""}>
            <span class="seq">${event.seq}</span><${Moment} at=${event.at} /><span class="percent">${event.percent} %</span>
            <span class="what">${said(event)}</span>
          </li>`,
        )}
      </ol>
      ${found.length === 0 && html`<p class="none">${wanted ? t("No entry has that in it.") : t("Nothing yet.")}</p>`}
    </div>`;
}

function said({ state, wave, device, step, message }) {
  const where = wave === null ? "" : t("wave {number}", { number: wave + 1 });
  const what = device === null ? (STATES[state] ?? state) : `${device} ${STEPS[step]?.[1] ?? step}`;
  return [what, device === null ? where : "", inWords(message)].filter(Boolean).join(" · ");
}

// Tabs by the ARIA pattern: arrows move between them, only the chosen one is in the tab order.

import { html } from "htm/preact";

/** *names* is {id: text}; *counts* {id: number} stand behind the texts. */
export function Tabs({ id, names, tab, onTab, counts = {}, label, children }) {
  const order = Object.keys(names);
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = order[(order.indexOf(tab) + step + order.length) % order.length];
    onTab(next);
    document.getElementById(`${id}-${next}`).focus();
  };
  return html`
    <div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
      ${order.map(
        (name) => html`<button key=${name} id="${id}-${name}" type="button" role="tab" aria-selected=${name === tab} aria-controls="${id}-body"
          tabindex=${name === tab ? 0 : -1} onClick=${() => onTab(name)}>${names[name]}${counts[name] > 0 && html`<span class="chip">${counts[name]}</span>`}</button>`,
      )}
    </div>
    <div id="${id}-body" class="tab-body" role="tabpanel" aria-labelledby="${id}-${tab}" tabindex="0">${children}</div>`;
}

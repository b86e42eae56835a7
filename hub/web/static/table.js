// A table; where the window is narrow, table.css lets each row flow, every cell behind the name of its column.

import { html } from "htm/preact";

/** *rows* are lists of cells; *keys* say which row is which; *none* stands where there are no rows. */
export function Table({ head, rows, keys, none, numbers = false, label = head.filter(Boolean).join(", ") }) {
  if (rows.length === 0) return html`<p class="none">${none}</p>`;
  return html`
    <div class="scroller" tabindex="0" role="region" aria-label=${label}>
      <table class=${numbers ? "numbers" : ""}>
        <thead><tr>${head.map((text) => html`<th scope="col">${text}</th>`)}</tr></thead>
        <tbody>${rows.map((row, i) => html`<tr key=${keys?.[i] ?? i}>${row.map((cell, j) => html`<td data-head=${head[j]}>${cell}</td>`)}</tr>`)}</tbody>
      </table>
    </div>`;
}

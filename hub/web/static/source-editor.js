// The editor: a textarea that is seen through, over the same text in colours. What the browser does for text stays as it is.

import { html, useLayoutEffect, useMemo, useRef, useState } from "htm/preact";
import { t } from "./i18n.js";
import { completions, offsets, pieces } from "./source-text.js";

/**
 * The textarea holds the text; *source* is what it last told onInput, *findings* are diagnostics of that. *handle* is given {insert(text), replace(source), show(span)}; what they write can be undone.
 */
export function SourceEditor({ source, findings, names, readOnly, onInput, onCheck, handle }) {
  const area = useRef(null);
  const [offer, setOffer] = useState(null); // {word, options, at, row, column}
  const marks = useMemo(() => findings.map((found) => ({ ...offsets(source, found.span), severity: found.severity })), [source, findings]);
  const coloured = useMemo(() => pieces(source, marks), [source, marks]);
  const wrong = new Set(findings.filter(({ severity }) => severity === "error").map(({ span }) => span.line));

  useLayoutEffect(() => {
    handle.current = {
      insert: (text) => write(area.current, text),
      replace: (text) => (area.current.select(), write(area.current, text)),
      show: (span) => {
        const { start, end } = offsets(source, span);
        area.current.focus();
        area.current.setSelectionRange(start, end);
      },
    };
  });

  const look = () => {
    const { value, selectionStart } = area.current;
    const { word, options } = completions(value, selectionStart, names);
    const lines = value.slice(0, selectionStart - word.length).split("\n");
    setOffer(options.length ? { word, options, at: 0, row: lines.length, column: lines.at(-1).length } : null);
  };
  const take = (option) => {
    const end = area.current.selectionStart;
    area.current.setSelectionRange(end - offer.word.length, end);
    write(area.current, /^[\p{L}\p{N}_.+\-%@/]+$/u.test(option) ? option : JSON.stringify(option));
    setOffer(null);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onCheck();
      return;
    }
    if (!offer) return;
    const move = (step) => setOffer({ ...offer, at: (offer.at + step + offer.options.length) % offer.options.length });
    const keys = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => take(offer.options[offer.at]), Tab: () => take(offer.options[offer.at]), Escape: () => setOffer(null) };
    if (!keys[event.key] || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  };

  return html`
    <div class="editor">
      <ol class="lines" aria-hidden="true">${source.split("\n").map((_, i) => html`<li key=${i} class=${wrong.has(i + 1) ? "wrong" : ""}>${i + 1}</li>`)}</ol>
      <div class="code">
        <pre aria-hidden="true">${coloured.map(({ text, kind, severity }) => html`<span class="${kind ?? ""} ${severity ? `found ${severity}` : ""}">${text}</span>`)}${"\n"}</pre>
        <textarea ref=${area} readonly=${readOnly} spellcheck=${false} autocapitalize="none" autocomplete="off" wrap="off"
          aria-label=${t("Source")} aria-invalid=${wrong.size > 0} aria-describedby="findings" aria-autocomplete="list"
          aria-controls=${offer ? "completions" : undefined} aria-activedescendant=${offer ? `completion-${offer.at}` : undefined}
          onInput=${(event) => (onInput(event.currentTarget.value), look())} onKeyDown=${onKeyDown} onBlur=${() => setOffer(null)}
          onClick=${() => setOffer(null)}></textarea>
        ${offer && html`<ul id="completions" class="completions" role="listbox" aria-label=${t("Completions")} style=${{ "--row": offer.row, "--column": offer.column }}>
          ${offer.options.map(
            (option, i) => html`<li key=${option} id="completion-${i}" role="option" aria-selected=${i === offer.at}
              onMouseDown=${(event) => (event.preventDefault(), take(option))}>${option}</li>`,
          )}
        </ul>`}
      </div>
    </div>`;
}

/** Write as if it were typed: nothing else lets the browser undo it. */
function write(area, text) {
  area.focus();
  if (document.execCommand(text ? "insertText" : "delete", false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

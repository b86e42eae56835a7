// A sentence becomes a source, or a question back.

import { html, useState } from "htm/preact";
import { percent } from "./format.js";
import { coded } from "./hub-words.js";
import { t } from "./i18n.js";

export function Sentence({ ask, language, onFill }) {
  const [text, setText] = useState("");
  const [understood, setUnderstood] = useState(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  const say = async (sentence) => {
    if (!sentence.trim() || busy) return;
    setBusy(true);
    setProblem("");
    setText(sentence);
    try {
      const found = await ask("intent.parse", { body: { text: sentence, language } });
      setUnderstood(found);
      if (found.source) onFill({ source: found.source, name: found.name });
    } catch (error) {
      setUnderstood(null);
      setProblem(coded(error));
    }
    setBusy(false);
  };
  return html`
    <form class="sentence" onSubmit=${(event) => (event.preventDefault(), say(text))}>
      <label for="sentence">${t("Say what you want")}</label>
      <div class="line">
        <input id="sentence" value=${text} maxlength="4000" autocomplete="off" placeholder=${t("connect london to vienna")} onInput=${(event) => setText(event.currentTarget.value)} />
        <button disabled=${busy || !text.trim()}>${busy ? t("Working…") : t("Write it")}</button>
      </div>
      ${problem && html`<p class="note bad" role="alert">${problem}</p>`}
      ${understood && html`<${Understood} ...${understood} onAnswer=${say} />`}
    </form>`;
}

function Understood({ explanation, confidence, needs, unknown, removes, question, onAnswer }) {
  return html`
    <div class="understood" role="status">
      <p>${explanation} <span class="chip">${t("{share} sure", { share: percent(confidence) })}</span></p>
      ${unknown.length > 0 && html`<p class="note">${t("Not understood: {words}", { words: unknown.map((part) => part.text).join(", ") })}</p>`}
      ${removes && html`<p class="note">${t("The set is to go: check an empty source under its name.")}</p>`}
      ${question && html`<p class="note"><a href="/assistant">${t("The assistant answers questions.")}</a></p>`}
      ${needs.map((need) => html`<${Need} key=${need.question} ...${need} onAnswer=${onAnswer} />`)}
    </div>`;
}

const PARTS = { pass: t("pass"), avoid: t("avoid") }; // answers that are no names

/** A question back, with its answers as buttons. */
export function Need({ question, options, completes, onAnswer }) {
  return html`
    <div class="need" role="group" aria-label=${question}>
      <p>${question}</p>
      ${options.map((option) => html`<button key=${option} type="button" onClick=${() => onAnswer(completes ? completes.replace("{answer}", option) : option)}>${PARTS[option] ?? option}</button>`)}
    </div>`;
}

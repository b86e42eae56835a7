// What is seen of a conversation: messages, tool calls, questions back, proposals.

import { html, useEffect, useRef, useState } from "htm/preact";
import { deployAndFollow, Told } from "./deploying.js";
import { coded } from "./hub-words.js";
import { t } from "./i18n.js";
import { Conflict, Diff, tally } from "./intents-result.js";
import { TwoStep } from "./operators-panel.js";
import { Need } from "./sentence.js";

const NEAR = 40; // px from its end at which a conversation is still followed

export function Messages({ talk, client, operates, onAnswer }) {
  const box = useRef(null);
  const following = useRef(true); // until one scrolls up to read what was
  const { messages, answer } = talk;
  const said = messages.filter(({ author }) => author !== "assistant").length;
  const toEnd = () => (box.current.scrollTop = box.current.scrollHeight);
  useEffect(() => void (following.current && toEnd()), [messages.length, answer?.text, answer?.tools.length]);
  useEffect(() => void toEnd(), [said]); // one's own words are gone to in any case
  const onScroll = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => (following.current = scrollHeight - scrollTop - clientHeight < NEAR);
  const newest = answer ? -1 : messages.length - 1;
  return html`
    <div ref=${box} class="messages" role="log" aria-label=${t("Conversation")} tabindex="0" onScroll=${onScroll}>
      ${messages.length === 0 && !answer && html`<${Welcome} onAnswer=${onAnswer} />`}
      ${messages.map((message, i) =>
        message.author === "assistant"
          ? html`<${Answer} key=${i} ...${{ ...message, ...message.body, client, operates, onAnswer }} asks=${i === newest} done />`
          : html`<div key=${i} class="said"><p>${message.text}</p></div>`,
      )}
      ${answer && html`<${Answer} key="answer" ...${{ ...answer, client, operates, onAnswer }} />`}
    </div>`;
}

const EXAMPLES = [t("connect london to vienna via frankfurt"), t("limit traffic from london to paris to 10 Mbps"), t("which links are above 80%?")];

function Welcome({ onAnswer }) {
  return html`
    <div class="welcome">
      <h2>${t("What do you want the network to do?")}</h2>
      <p>${t("Say it in a sentence, or ask a question. Nothing is deployed before you confirm it.")}</p>
      ${EXAMPLES.map((text) => html`<button key=${text} type="button" onClick=${() => onAnswer(text)}>${text}</button>`)}
    </div>`;
}

function Answer({ text, tools, source, proposal, needs = [], fallback, bad, done, asks, client, operates, onAnswer }) {
  return html`
    <div class="answer ${done ? "done" : "under-way"} ${bad ? "bad" : ""}" role=${bad ? "alert" : undefined}>
      ${tools.map(({ name, detail }, i) => html`<details key=${i} class="tool"><summary>${t("Tool {name}", { name })}</summary><pre>${shown(detail)}</pre></details>`)}
      <p>${text || t("Thinking…")}</p>
      ${fallback && html`<p class="small">${t("Answered without the language model: {why}", { why: fallback })}</p>`}
      ${source && !proposal && html`<pre tabindex="0">${source}</pre>`}
      ${asks && needs.map((need) => html`<${Need} key=${need.question} ...${need} onAnswer=${onAnswer} />`)}
      ${proposal && html`<${Proposal} key=${proposal.plan_id} ...${{ proposal, client, operates }} />`}
    </div>`;
}

const shown = (detail) => (typeof detail === "string" ? detail : JSON.stringify(detail, null, 2));

function Proposal({ proposal, client, operates }) {
  const { compile_id: id, name, source, devices, rows, verified } = proposal;
  const [preview, setPreview] = useState(null);
  const [note, setNote] = useState(null);
  const following = useRef(null);
  useEffect(() => () => ((following.left = true), following.current?.()), []);
  const attempt = async (action) => {
    setNote(null);
    try {
      await action();
    } catch (problem) {
      setNote({ text: coded(problem), bad: true });
    }
  };
  const look = () => attempt(async () => setPreview(preview ? null : (await client.ask("intent.preview", { id })).body));
  return html`
    <article class="proposal" aria-label=${t("Proposal {name}", { name: name ?? "" })}>
      <h3>${t("Proposal {name}", { name: name ?? "" })}</h3>
      <p class="facts">
        <span class="chip ${verified ? "good" : "bad"}">${verified ? t("Proven: every promise holds.") : t("Not proven.")}</span>
        <span>${t("Devices: {devices}, rows: {rows}", { devices, rows })}</span>
      </p>
      <pre tabindex="0">${source}</pre>
      ${preview && preview.devices.map(({ node, diff }) => html`<details key=${node}><summary>${node} <span class="chip">${tally(diff)}</span></summary><${Diff} diff=${diff} /></details>`)}
      ${preview?.conflict && html`<${Conflict} message=${preview.conflict} />`}
      <div class="actions">
        <button type="button" aria-expanded=${preview !== null} onClick=${look}>${t("Preview")}</button>
        ${operates && html`<${TwoStep} text=${t("Deploy")} confirm=${t("Confirm deploy")} onAct=${() => attempt(() => deployAndFollow(client, id, setNote, following))} />`}
      </div>
      ${note && html`<${Told} note=${note} />`}
    </article>`;
}

// The assistant page: conversations at the left, the one that is read at the right, alive over channel chat/<id>.

import { html, render } from "htm/preact";
import { Messages } from "./assistant-parts.js";
import { Talk } from "./conversation.js";
import { onceAFrame } from "./frames.js";
import { coded } from "./hub-words.js";
import { language, t } from "./i18n.js";
import { TwoStep } from "./operators-panel.js";
import { ParaNetClient } from "./paranet-client.js";
import { Shell } from "./shell.js";


const main = document.getElementById("main");
const client = new ParaNetClient();
const draw = onceAFrame(paint);
const shell = new Shell(client, { draw, onState: () => shell.live && readList() });
const view = { list: null, next: null, id: null, talk: new Talk(), text: "", sending: false, problem: "" };
let leave = () => {};

function change(values) {
  Object.assign(view, values);
  draw();
}

/** Do it; a refusal is shown. */
async function attempt(action) {
  try {
    await action();
  } catch (problem) {
    change({ problem: coded(problem) });
  }
}

const readList = (more = false) =>
  attempt(async () => {
    const { next } = view;
    const { body } = await client.ask("chat.list", { limit: 50, ...(more && { cursor: next }) });
    if (more && view.next !== next) return; // the same was asked for twice
    change({ list: more ? [...view.list, ...body.items] : body.items, next: body.next });
  });

function open(id) {
  if (id === view.id && id !== null) return;
  leave();
  const talk = new Talk();
  change({ id, talk, problem: "" });
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
  leave = id === null ? () => {} : client.subscribe(`chat/${id}`, {
    onSnapshot: (data) => (talk.replace(data), draw()),
    onEvents: (events) => (events.forEach((event) => talk.take(event)), draw()),
  });
}

/** The words come over the channel, for every tab alike; the hub only says which conversation it is. */
async function say(text) {
  if (!text.trim() || busy()) return;
  change({ text: "", sending: true, problem: "" });
  const { id } = view;
  try {
    const { body } = await client.ask("chat.say", { body: { message: text, language, ...(id && { conversation_id: id }) }, prefer: "respond-async" });
    if (view.id === id) open(body.conversation_id);
    if (!id) readList();
  } catch (problem) {
    change({ problem: coded(problem), ...(view.id === id && { text: view.text || text }) }); // what is being typed now is dearer
  }
  change({ sending: false });
}

const busy = () => view.sending || view.talk.answer !== null;
const stop = () => attempt(() => client.ask("chat.stop", { id: view.id }));
const forget = () =>
  attempt(async () => {
    const { id } = view;
    await client.ask("chat.forget", { id });
    if (view.id === id) open(null);
    await readList();
  });

// ---- drawing

function paint() {
  shell.show();
  if (view.list === null && !view.problem) return;
  main.setAttribute("aria-busy", "false");
  document.getElementById("starting")?.remove();
  render(html`<${Page} />`, main);
}

function Page() {
  const { list, next, id, talk, problem } = view;
  return html`
    <nav class="talks" aria-label=${t("Conversations")}>
      <button type="button" class="primary" onClick=${() => open(null)}>${t("New conversation")}</button>
      <ul>
        ${(list ?? []).map(
          (one) => html`<li key=${one.id}><button type="button" aria-current=${one.id === id ? "true" : undefined} title=${one.title} onClick=${() => open(one.id)}>${one.title}</button></li>`,
        )}
      </ul>
      ${list?.length === 0 && html`<p class="none">${t("No conversation yet.")}</p>`}
      ${next && html`<button type="button" onClick=${() => readList(true)}>${t("Older ones")}</button>`}
    </nav>
    <section class="talk" aria-label=${t("Assistant")}>
      <${Messages} key=${id ?? "new"} ...${{ talk, client }} operates=${shell.operates} onAnswer=${say} />
      ${problem && html`<p class="note bad" role="alert">${problem}</p>`}
      <${Composer} />
    </section>`;
}

function Composer() {
  const { text, id, talk } = view;
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say(event.currentTarget.value);
  };
  return html`
    <form class="composer" onSubmit=${(event) => (event.preventDefault(), say(view.text))}>
      <textarea rows="2" maxlength="4000" value=${text} aria-label=${t("Message")} placeholder=${t("Enter sends, Shift+Enter begins a new line")}
        onInput=${(event) => (view.text = event.currentTarget.value, draw())} onKeyDown=${onKeyDown}></textarea>
      <div class="actions">
        ${talk.answer
          ? html`<button key="stop" type="button" onClick=${stop}>${t("Cancel")}</button>`
          : html`<button key="send" class="primary" disabled=${!text.trim() || busy()}>${t("Send")}</button>`}
        ${id && !talk.answer && html`<${TwoStep} key="forget" text=${t("Forget")} confirm=${t("Confirm forget")} onAct=${forget} />`}
      </div>
    </form>`;
}

client.addEventListener("problem", ({ detail: { channel, code, detail, retryable } }) => {
  if (channel === `chat/${view.id}` && !retryable) change({ problem: coded({ code, message: detail }) }); // the client asks again itself
});
addEventListener("hashchange", () => open(location.hash.slice(1) || null));
if (location.hash.length > 1) open(location.hash.slice(1));
client.connect();

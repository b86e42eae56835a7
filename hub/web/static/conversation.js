// One conversation as this page knows it: channel chat/<id> fills it (docs/assistant.md).

import { coded } from "./hub-words.js";

export class Talk {
  messages = []; // {author, text, body, tools, bad}
  answer = null; // {text, tools, proposal} of the answer under way

  replace({ messages, answering, so_far: text }) {
    this.messages = messages.map(({ author, text, body }) => ({ author, text, body, tools: [] }));
    this.answer = answering ? { text, tools: [], proposal: null } : null;
  }

  take(event) {
    const steps = {
      user: () => {
        this.messages.push({ author: event.author, text: event.text, body: {}, tools: [] });
        this.answer = { text: "", tools: [], proposal: null };
      },
      delta: () => this.answer && (this.answer.text += event.text),
      tool: () => this.answer?.tools.push({ name: event.name, detail: event.detail }),
      proposal: () => this.answer && (this.answer.proposal = event),
      done: () => this.#end({ text: event.reply, body: event }),
      error: () => this.#end({ text: coded({ code: event.code, message: event.detail }), body: {}, bad: true }),
    };
    steps[event.kind]?.();
  }

  #end(message) {
    this.messages.push({ author: "assistant", tools: this.answer?.tools ?? [], ...message });
    this.answer = null;
  }
}

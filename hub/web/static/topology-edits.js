// Changes of the topology by hand: each is one write that holds only for what one saw (If-Match), and can be taken back.

import { coded } from "./hub-words.js";
import { t } from "./i18n.js";

const KEPT = 100; // steps back

const revisionOf = (etag) => Number(etag.replaceAll('"', ""));

export class TopologyEdits {
  note = null; // {text, bad}
  busy = false;
  #done = []; // {text, before}: what was done and the revision it was done to
  #head = null; // revision after the last of them

  /** *ask* is the client's; *draw* is told when something has changed here. */
  constructor({ ask, network, draw }) {
    Object.assign(this, { ask, network, draw });
  }

  /** What `undo` would take back: a text, or null. */
  get last() {
    return this.#done.at(-1)?.text ?? null;
  }

  addNode = (node) => this.#write(t("Added {id}.", node), () => this.ask("topology.nodes.add", { body: node }));

  connect = (source, target, id) =>
    this.#write(t("Connected {source} and {target}.", { source, target }), () => this.ask("topology.links.add", { body: { id, source: { node: source }, target: { node: target } } }));

  /** Change some fields of a node or link. */
  change = (kind, id, fields) =>
    this.#write(t("Changed {id}.", { id }), async () => {
      const { body, tag } = await this.#asSeen(kind, id);
      return this.ask(`topology.${kind}.replace`, { id, if_match: tag, body: { ...body, ...fields } });
    });

  /** A node takes its links along. */
  remove = (kind, id) =>
    this.#write(t("Deleted {id}.", { id }), async () => {
      const { tag } = await this.#asSeen(kind, id);
      return this.ask(`topology.${kind}.remove`, { id, if_match: tag, ...(kind === "nodes" && { cascade: true }) });
    });

  /** Something else that makes one new revision: resolves to {etag}. */
  other = (text, action) => this.#write(text, action);

  undo = () =>
    this.#write(
      t("Undone: {what}", { what: this.last }),
      async () => {
        const answer = await this.ask("topology.restore", { revision: this.#done.at(-1).before, if_match: this.#head });
        this.#done.pop();
        return answer;
      },
      false,
    );

  /** The part as the hub has it, with its ETag; refuses when that is not what this page shows. */
  async #asSeen(kind, id) {
    const shown = JSON.stringify(this.network[kind].get(id));
    const { body, etag } = await this.ask(`topology.${kind}.get`, { id });
    if (JSON.stringify(body) !== shown) throw new Error(t("Somebody has just changed {id}: look again.", { id }));
    return { body, tag: revisionOf(etag) };
  }

  /** Whether it was done; *note* tells how it went. */
  async #write(text, action, isNew = true) {
    if (this.busy) return false;
    Object.assign(this, { busy: true, note: { text: t("Under way…") } });
    this.draw();
    try {
      const revision = revisionOf((await action()).etag);
      if (isNew) this.#remember(text, revision);
      this.#head = revision;
      this.note = { text };
    } catch (problem) {
      if (problem.code === "stale-revision") this.#done = [];
      this.note = { text: problem.code === "stale-revision" ? t("Somebody else has changed the network since: nothing was done.") : coded(problem), bad: true };
    }
    this.busy = false;
    this.draw();
    return !this.note.bad;
  }

  /** A step back over what somebody else did in between would undo that, too: those before it are forgotten. */
  #remember(text, revision) {
    if (this.#head !== revision - 1) this.#done = [];
    this.#done.push({ text, before: revision - 1 });
    if (this.#done.length > KEPT) this.#done.shift();
  }
}

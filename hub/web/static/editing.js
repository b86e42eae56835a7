// The edit mode of the network page: which tool is in the hand, and what it does to what is pressed.

import { t } from "./i18n.js";
import { TopologyEdits } from "./topology-edits.js";

export class Editing {
  on = false;
  tool = null; // "add", "connect" or null: move
  from = null; // the end that was chosen first
  dragging = false;
  moved = 0; // counts the steps of a drag

  constructor({ client, network, focus, draw, place, size }) {
    Object.assign(this, { network, focus, draw, place, size });
    this.edits = new TopologyEdits({ ask: (...what) => client.ask(...what), network, draw });
  }

  turn(on) {
    Object.assign(this, { on, tool: null, from: null });
    this.edits.note = null;
    this.draw();
  }

  take(tool) {
    Object.assign(this, { tool: this.tool === tool ? null : tool, from: null });
    this.edits.note = null;
    this.draw();
  }

  /** Lay the tool down; false when there was none. */
  drop() {
    if (!this.tool) return false;
    this.take(this.tool);
    return true;
  }

  /** Whether the tool in the hand has use for what was chosen. */
  took(part) {
    if (this.tool === "add") return true;
    if (this.tool !== "connect" || part === null) return false;
    if (part.kind !== "node" || part.id === this.from) return true;
    if (this.from === null) this.from = part.id;
    else this.#connect(this.from, part.id);
    this.draw();
    return true;
  }

  async #connect(source, target) {
    this.take("connect");
    const id = this.#free(`${source}-${target}`, this.network.links);
    if (await this.edits.connect(source, target, id)) this.focus.select({ kind: "link", id });
  }

  /** A new node at a place of the map. */
  async put({ x, y }) {
    this.take("add");
    const id = this.#free("node-1", this.network.nodes);
    if (await this.edits.addNode({ id, ...this.place(x, y) })) this.focus.select({ kind: "node", id });
  }

  #free(wanted, taken) {
    let [id, count] = [wanted, 1];
    while (taken.has(id)) id = `${wanted.replace(/-\d+$/, "")}-${(count += 1)}`;
    return id;
  }

  async remove() {
    const part = this.focus.selected;
    if (part && (await this.edits.remove(`${part.kind}s`, part.id))) this.focus.select(null);
  }

  restore = (revision) =>
    this.edits.other(t("Restored revision {revision}.", { revision }), () => this.edits.ask("topology.restore", { revision, if_match: this.network.revision }));

  /** *show*(at) draws the node elsewhere, *back* puts it where it was. */
  drag(id, show, back) {
    return {
      move: (at) => {
        Object.assign(this, { dragging: true, moved: this.moved + 1 });
        show(at);
        this.draw();
      },
      drop: async (at) => {
        if (!this.dragging) return; // it was only pressed
        this.dragging = false;
        const node = at && this.network.nodes.get(id); // somebody may have deleted it meanwhile
        if (!node || !(await this.edits.change("nodes", id, placed(node, this.place(at.x, at.y))))) back();
        this.moved += 1;
        this.draw();
      },
    };
  }
}

/** The fields that say where a node is; one that is only drawn on a map of the earth gets no location. */
function placed(node, { location, display }) {
  if (!location) return { display };
  return node.location || !node.display ? { location: { ...node.location, ...location } } : { display: { x: location.longitude, y: location.latitude } };
}

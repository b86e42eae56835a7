// Where one looks at the map: wheel, two fingers, dragging and keys move it and make it larger; it never leaves the network behind.

import { AT_REST } from "./layout.js";

const MOST = 40; // times as large as the whole
const STEP = 1.35; // of a press of + or -
const FAR = 4; // px a pointer may move and still press
const QUIET = 140; // ms after which a movement has ended

/**
 * *grasp*(event) may take a press for itself: it returns {move(at), drop(at)} or null; drop(null) gives up. *onMove* hears of every
 * change of `view`, *onRest* when a movement has ended.
 */
export class Viewport {
  view = AT_REST;
  moving = false;
  #pointers = new Map();
  #grasped = null;
  #dragged = false;
  #timer = null;

  constructor(stage, { grasp, onMove, onRest }) {
    Object.assign(this, { stage, grasp, onMove, onRest });
    stage.addEventListener("wheel", this.#onWheel, { passive: false });
    stage.addEventListener("pointerdown", this.#onDown);
    stage.addEventListener("pointermove", this.#onPointer);
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, this.#onUp);
    stage.addEventListener("click", this.#onClick, { capture: true });
    stage.addEventListener("keydown", this.#onKey);
  }

  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  whole = () => this.#look(AT_REST);
  larger = () => this.#zoom(STEP);
  smaller = () => this.#zoom(1 / STEP);

  /** Bring a place of the map at rest into the middle, large enough to see what is around it. */
  show({ x, y }) {
    const { width, height } = this.size;
    const k = Math.max(this.view.k, 2);
    this.#look({ k, x: width / 2 - k * x, y: height / 2 - k * y });
  }

  #look(view) {
    const { width, height } = this.size;
    const k = Math.max(1, Math.min(MOST, view.k));
    const within = (offset, length) => Math.min(length / 2, Math.max(length / 2 - k * length, offset));
    this.view = k === 1 && view.k <= 1 ? AT_REST : { k, x: within(view.x, width), y: within(view.y, height) };
    this.moving = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.moving = false;
      this.onRest();
    }, QUIET);
    this.onMove();
  }

  #zoom(factor, at = { x: this.size.width / 2, y: this.size.height / 2 }, to = at) {
    const { k, x, y } = this.view;
    const next = Math.max(1, Math.min(MOST, k * factor));
    this.#look({ k: next, x: to.x - ((at.x - x) * next) / k, y: to.y - ((at.y - y) * next) / k });
  }

  at(event) {
    const { left, top } = this.stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #onWheel = (event) => {
    if (event.target.closest("[data-tools]")) return;
    event.preventDefault();
    this.#zoom(1.0018 ** -(event.deltaY * (event.deltaMode ? 20 : 1)), this.at(event));
  };

  #onDown = (event) => {
    this.#dragged = false;
    if (event.button !== 0 || event.target.closest("[data-tools]")) return;
    const at = this.at(event);
    this.#pointers.set(event.pointerId, { from: at, at });
    this.#grasped?.drop(null);
    this.#grasped = this.#pointers.size > 1 ? null : this.grasp(event, at);
  };

  #onPointer = (event) => {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    const [before, at] = [this.#middle(), this.at(event)];
    pointer.at = at;
    if (!this.#dragged && Math.hypot(at.x - pointer.from.x, at.y - pointer.from.y) < FAR) return;
    if (!this.#dragged) this.stage.setPointerCapture(event.pointerId); // not earlier: it would take the click from what was pressed
    this.#dragged = true;
    if (this.#grasped) return this.#grasped.move(at);
    const after = this.#middle();
    this.#zoom(before.apart && after.apart ? after.apart / before.apart : 1, before, after);
  };

  /** The middle of the fingers and how far apart they are. */
  #middle() {
    const [a, b = null] = [...this.#pointers.values()].map(({ at }) => at);
    return b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) } : { ...a, apart: 0 };
  }

  #onUp = (event) => {
    if (!this.#pointers.delete(event.pointerId) || !this.#grasped) return;
    if (this.#dragged && event.type === "pointerup") this.#grasped.drop(this.at(event));
    else this.#grasped.drop(null);
    this.#grasped = null;
  };

  /** A drag ends with a click that nobody meant; one by keyboard (detail 0) is meant. */
  #onClick = (event) => {
    if (!this.#dragged || event.detail === 0) return;
    this.#dragged = false;
    event.stopPropagation();
    event.preventDefault();
  };

  #onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("[data-tools]")) return;
    const by = (x, y) => () => this.#look({ ...this.view, x: this.view.x + x, y: this.view.y + y });
    const keys = { "+": this.larger, "=": this.larger, "-": this.smaller, 0: this.whole, ArrowLeft: by(60, 0), ArrowRight: by(-60, 0), ArrowUp: by(0, 60), ArrowDown: by(0, -60) };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
}

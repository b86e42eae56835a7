// Drawing keeps to the browser's frames.

/** Returns what has *paint* called in the next frame: once, however often it is asked for until then. */
export function onceAFrame(paint) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      paint();
    });
  };
}

/** Where the focus goes when what had it is drawn away: who uses a keyboard or a screen reader is not sent to nowhere. */

/**
 * Draw. If a button that has the focus is gone then, what `near()` gives gets it, if anything.
 * @param {() => void} draw
 * @param {() => HTMLElement | null} near
 */
export function keepingFocus(draw, near) {
  const had = document.activeElement;
  draw();
  if (had?.matches("button") && !had.isConnected) near()?.focus({ preventScroll: true });
}

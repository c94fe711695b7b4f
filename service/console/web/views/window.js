/** Which rows of a long list are drawn: those in sight, and some around them that a key press may move to. */

const AROUND = 12;

/** `top`: of the first row, in the window's own coordinates, in pixels like `height`, that of each row. */
export function rowsInSight({ count, top, height, windowHeight }) {
  const first = Math.max(0, Math.min(count, Math.floor(-top / height) - AROUND));
  const last = Math.max(first, Math.min(count, Math.ceil((windowHeight - top) / height) + AROUND));
  return { first, last, before: first * height, after: (count - last) * height };
}

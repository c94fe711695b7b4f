/** A transcript as words that can be played, and which of them is spoken when. Nothing here draws. */

/**
 * What a segment's text is made of, in order: `{text}`, and `{text, start, end}` where it is known when that was said.
 * What stands between two words in the text stays between them, so that scripts without spaces get none. Words that are
 * not in the text as they stand leave it in one piece. Times are in seconds.
 */
export function piecesOf({ text, start, end, words = [] }) {
  const pieces = [];
  let place = 0;
  for (const word of words) {
    const found = text.indexOf(word.text, place);
    if (found < 0) return [{ text, start, end }];
    if (found > place) pieces.push({ text: text.slice(place, found) });
    pieces.push({ text: word.text, start: word.start, end: word.end });
    place = found + word.text.length;
  }
  if (pieces.length === 0) return [{ text, start, end }];
  if (place < text.length) pieces.push({ text: text.slice(place) });
  return pieces;
}

/** Which of many things has begun last at a time. They may be given in any order: people speak at once. */
export class Beginnings {
  #starts;
  #things;

  /** `timed`: things with a `start` in seconds. */
  constructor(timed) {
    const inOrder = [...timed].sort((one, other) => one.start - other.start);
    this.#starts = Float64Array.from(inOrder, (one) => one.start);
    this.#things = inOrder;
  }

  /** The thing that began last at or before `seconds`, or null. */
  at(seconds) {
    const count = this.#countBegun(seconds);
    return count ? this.#things[count - 1] : null;
  }

  /** Those that begin from `start` on and before `end`. */
  between(start, end) {
    return this.#things.slice(this.#countBefore(start), this.#countBefore(end));
  }

  #countBegun(seconds) {
    return this.#count((start) => start <= seconds);
  }

  #countBefore(seconds) {
    return this.#count((start) => start < seconds);
  }

  #count(isWithin) {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isWithin(this.#starts[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

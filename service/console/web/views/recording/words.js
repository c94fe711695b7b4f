/** A transcript as words that can be played, and which of them is spoken when. Nothing here draws. */

/**
 * @import { Segment, Word } from "../../answers.js"
 * @typedef {{text: string, start?: number, end?: number}} Piece
 */

/**
 * What a segment's text is made of, in order: `{text}`, and `{text, start, end}` where it is known when that was said.
 * What stands between two words in the text stays between them, so that scripts without spaces get none. Words that are
 * not in the text as they stand leave it in one piece. Times are in seconds.
 * @param {Word & {words?: Word[]}} segment
 */
export function piecesOf({ text, start, end, words = [] }) {
  /** @type {Piece[]} */
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

/**
 * Which of many things has begun last at a time. They may be given in any order: people speak at once.
 * @template {{start: number}} T
 */
export class Beginnings {
  #starts;
  #things;

  /** @param {Iterable<T>} timed things with a `start` in seconds */
  constructor(timed) {
    const inOrder = [...timed].sort((one, other) => one.start - other.start);
    this.#starts = Float64Array.from(inOrder, (one) => one.start);
    this.#things = inOrder;
  }

  /**
   * The thing that began last at or before `seconds`, or null.
   * @param {number} seconds
   */
  at(seconds) {
    const count = this.#countBegun(seconds);
    return this.#things[count - 1] ?? null;
  }

  /**
   * Those that begin from `start` on and before `end`.
   * @param {number} start
   * @param {number} end
   */
  between(start, end) {
    return this.#things.slice(this.#countBefore(start), this.#countBefore(end));
  }

  /** @param {number} seconds */
  #countBegun(seconds) {
    return this.#count((start) => start <= seconds);
  }

  /** @param {number} seconds */
  #countBefore(seconds) {
    return this.#count((start) => start < seconds);
  }

  /** @param {(start: number) => boolean} isWithin */
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

/** Where the bytes of chunks come from: slices of a microphone, or a file. Both have the same methods. */

import { fileChunkBytes, slicesOfNextChunk } from "./chunk_plan.js";

/**
 * @import { Amount, Entry, Measured, Outbox, Piece } from "./outbox.js"
 * @typedef {object} Source
 * @property {() => Promise<void>} load
 * @property {(blob: Blob, milliseconds: number) => Promise<boolean>} add
 * @property {() => Promise<void>} settled
 * @property {number | undefined} last
 * @property {Amount} waiting
 * @property {() => Piece | null} next
 * @property {(piece: Piece) => Promise<Blob>} blob
 */

/**
 * Slices, in the outbox.
 * @implements {Source}
 */
export class Slices {
  #outbox;
  #entry;
  /** @type {Measured[]} */
  #waiting = [];
  #next = 1;
  /** @type {Promise<unknown>} */
  #storing = Promise.resolve();

  /** @param {Outbox} outbox @param {Entry} entry */
  constructor(outbox, entry) {
    this.#outbox = outbox;
    this.#entry = entry;
  }

  /** Find what is stored. What an earlier page had in memory alone is missing between the others. */
  async load() {
    const first = this.#entry.chunks.at(-1)?.to ?? 1;
    this.#waiting = await this.#outbox.measured(this.#entry.key, first);
    this.#next = (this.#waiting.at(-1)?.number ?? first - 1) + 1;
    const last = Math.max(this.last, this.#entry.lastSlice ?? 0);
    if (this.#waiting.length < last + 1 - first) this.#entry.lacksSome = true;
  }

  /**
   * Store a slice after those before it. Resolves with whether it is on the disk. Throws if the browser cannot read it.
   * @param {Blob} blob
   * @param {number} milliseconds
   */
  add(blob, milliseconds) {
    const stored = this.#storing.then(() => this.#store(blob, milliseconds));
    this.#storing = stored.catch(() => {}); // those after it are stored all the same
    return stored;
  }

  /** Resolves once all that was added is stored. */
  async settled() {
    await this.#storing;
  }

  /** The number of the last slice. */
  get last() {
    return this.#next - 1;
  }

  get waiting() {
    return {
      bytes: this.#waiting.reduce((sum, slice) => sum + slice.size, 0),
      milliseconds: this.#waiting.reduce((sum, slice) => sum + slice.milliseconds, 0),
    };
  }

  /** The next chunk, or null while it is not full. */
  next() {
    const { chunks, mostChunks, windowMs, isEnded } = this.#entry;
    const plan = { number: chunks.length + 1, mostChunks, windowMs, isEnded };
    const taken = this.#waiting.splice(0, slicesOfNextChunk(this.#waiting, plan));
    const [first, last] = [taken.at(0), taken.at(-1)];
    if (!first || !last) return null;
    return {
      from: first.number,
      to: last.number + 1,
      bytes: taken.reduce((sum, slice) => sum + slice.size, 0),
      milliseconds: taken.reduce((sum, slice) => sum + slice.milliseconds, 0),
    };
  }

  /**
   * Throws Error if the browser has lost some of it.
   * @param {Piece} piece
   */
  async blob({ from, to, bytes }) {
    const found = new Map((await this.#outbox.slices(this.#entry.key, from, to)).map((one) => [one.number, one.bytes]));
    const numbers = Array.from({ length: to - from }, (_, index) => from + index);
    const blob = new Blob(numbers.map((number) => found.get(number) ?? new ArrayBuffer()));
    if (blob.size !== bytes) throw new Error("The browser has lost a part of this recording.");
    return blob;
  }

  /** @param {Blob} blob @param {number} milliseconds */
  async #store(blob, milliseconds) {
    const bytes = await blob.arrayBuffer();
    const number = this.#next;
    this.#next += 1;
    const isStored = await this.#outbox.addSlice(this.#entry.key, number, milliseconds, bytes);
    this.#waiting.push({ number, milliseconds, size: bytes.byteLength });
    return isStored;
  }
}

/** @implements {Source} */
export class WholeFile {
  #entry;
  #file;
  last = undefined;

  /** @param {Entry} entry @param {File} file */
  constructor(entry, file) {
    this.#entry = entry;
    this.#file = file;
  }

  async load() {}

  async settled() {}

  /** @returns {Promise<never>} */
  async add() {
    throw new Error("A file is all there from the beginning.");
  }

  get waiting() {
    return { bytes: this.#file.size - this.#cut, milliseconds: 0 };
  }

  next() {
    const from = this.#cut;
    const to = Math.min(this.#file.size, from + fileChunkBytes(this.#file.size, this.#entry.mostChunks));
    return from < to ? { from, to, bytes: to - from, milliseconds: 0 } : null;
  }

  /** @param {Piece} piece @returns {Promise<Blob>} */
  async blob({ from, to }) {
    return this.#file.slice(from, to);
  }

  get #cut() {
    return this.#entry.chunks.at(-1)?.to ?? 0;
  }
}

/** One recording on its way to the service: chunks are cut, sent, compared with what arrived, and declared complete. */

import { ApiError, statusOf } from "../api.js";
import { taken } from "./locks.js";
import { asError } from "./problems.js";
import { patiently, putChunk, sha256 } from "./sending.js";

/**
 * @import { Api } from "../api.js"
 * @import { ChunkList, HeldChunk } from "../answers.js"
 * @import { Amount, Chunk, Entry, Outbox } from "./outbox.js"
 * @import { Source } from "./sources.js"
 * @typedef {"open" | "sending" | "left" | "finished" | "empty" | "refused"} State
 */

const MOST_ROUNDS = 5;
const NO_CONNECTION = "No connection. What is not sent yet waits in this browser, and is sent when the connection is back.";

/**
 * `state`: "open" while more may come from a microphone, "sending" when all is known, "left" if nobody works on it,
 * "finished", "empty" if nothing came, or "refused" for a reason that does not pass. `problem`: why it was refused, or what holds it up.
 */
export class Upload {
  #api;
  #outbox;
  #onChange;
  #ended = new AbortController();
  #wake = () => {};
  #inFlight = 0;

  /**
   * @param {Entry} entry
   * @param {Source} source
   * @param {{api: Api, outbox: Outbox | null, onChange: () => void}} means
   */
  constructor(entry, source, { api, outbox, onChange }) {
    this.entry = entry;
    this.source = source;
    /** @type {State} */
    this.state = "left";
    /** @type {string | null} */
    this.problem = null;
    this.hasRoom = true;
    this.isGone = false; // the service has no such recording
    this.isLost = false; // this browser has no such file
    this.release = () => {};
    this.#api = api;
    this.#outbox = outbox;
    this.#onChange = onChange;
  }

  /** For a person to say what becomes of it. */
  get isWaiting() {
    return this.state === "left" || this.state === "refused";
  }

  /** What the service has acknowledged. */
  get stored() {
    return total(this.entry.chunks.filter((chunk) => chunk.isStored));
  }

  /** What is in this browser alone. */
  get waiting() {
    const cut = total(this.entry.chunks.filter((chunk) => !chunk.isStored));
    const loose = this.entry.isCutShort ? total([]) : this.source.waiting;
    return { bytes: cut.bytes + loose.bytes, milliseconds: cut.milliseconds + loose.milliseconds };
  }

  /** How much of it has left, from 0 to 1. */
  get share() {
    const [stored, waiting] = [this.stored.bytes, this.waiting.bytes];
    return stored + waiting ? Math.min(1, (stored + this.#inFlight) / (stored + waiting)) : 0;
  }

  /** Whether what is not sent yet is in this tab's memory alone. */
  get isUnsafe() {
    return !this.hasRoom && !["finished", "empty"].includes(this.state);
  }

  /**
   * Add a slice of the microphone, and send a chunk if that makes one full. Never throws: the page says what is lost.
   * @param {Blob} blob
   * @param {number} milliseconds
   */
  async add(blob, milliseconds) {
    try {
      if (!(await this.source.add(blob, milliseconds))) this.hasRoom = false;
    } catch {
      this.entry.lacksSome = true;
    }
    this.#wake();
    this.#onChange();
  }

  /** Have it as it is now, whatever other tabs did to it. False: it is done. Throws Error while somebody works on it. */
  async take() {
    const release = await taken(this.entry.key);
    if (release === null) throw new Error("It is being worked on already, perhaps in another tab.");
    this.release = release;
    if (this.#outbox === null) return true;
    try {
      const now = await this.#outbox.entry(this.entry.key);
      if (!now) return false;
      Object.assign(this.entry, now);
      await this.source.load();
      return true;
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Nothing more comes.
   * @param {number} milliseconds
   */
  async end(milliseconds) {
    this.entry.isEnded = true;
    this.entry.milliseconds = milliseconds;
    this.entry.lastSlice = this.source.last;
    if (this.state === "open") this.state = "sending";
    await this.save();
    this.#wake();
  }

  /** What is not stored by now is not sent. */
  async leaveOutTheRest() {
    this.entry.chunks = this.entry.chunks.filter((chunk) => chunk.isStored);
    this.entry.isCutShort = true;
    await this.end(Math.round(this.stored.milliseconds) || this.entry.milliseconds);
  }

  /** Send until the service has all, refuses, or `stop` is called. Never throws. */
  async run() {
    this.state = this.entry.isEnded ? "sending" : "open";
    this.problem = null;
    try {
      const hasSent = await this.#sendAll();
      await this.#outbox?.remove(this.entry.key).catch(() => {}); // what stays is found again, and completed again
      this.state = hasSent ? "finished" : "empty";
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.refuse(asError(error).message);
    } finally {
      this.release();
      this.#onChange();
    }
  }

  /** Send nothing more; what waits stays in the outbox, for other tabs, too. */
  stop() {
    this.#ended.abort();
    this.#wake();
    this.release();
  }

  /**
   * For a reason that does not pass, it waits for a person to decide.
   * @param {string} problem
   */
  refuse(problem) {
    this.state = "refused";
    this.problem = problem;
  }

  /** Throws AbortError after `stop`. */
  async save() {
    this.#ended.signal.throwIfAborted(); // another tab may have it by now
    if (!(await this.#outbox?.put(this.entry))) this.hasRoom = false; // the page says so
  }

  /** False: there was nothing, and the service has forgotten it. */
  async #sendAll() {
    for (let round = 0; round < MOST_ROUNDS; ) {
      this.#ended.signal.throwIfAborted();
      const woken = new Promise((resolve) => (this.#wake = () => resolve(undefined)));
      const { isEnded } = this.entry; // as it is before the cut: what is added after that is cut in the next round
      const chunk = this.entry.chunks.find((one) => !one.isStored) ?? (await this.#cut());
      if (chunk) {
        await this.#send(chunk);
      } else if (!isEnded) {
        await woken;
      } else if (this.entry.chunks.length === 0) {
        const path = `/v1/recordings/${this.entry.recordingId}`;
        await this.#patiently(() => this.#api.send("DELETE", path, undefined, { signal: this.#ended.signal }));
        return false;
      } else if (await this.#isComplete()) {
        return true;
      } else {
        round += 1;
      }
    }
    throw new Error("The service keeps losing chunks that it has acknowledged.");
  }

  async #cut() {
    const piece = this.entry.isCutShort ? null : this.source.next();
    if (piece === null) return null;
    /** @type {Chunk} */
    const chunk = { number: this.entry.chunks.length + 1, ...piece, sha256: null, isStored: false };
    this.entry.chunks.push(chunk);
    chunk.sha256 = await sha256(await this.source.blob(chunk));
    await this.save();
    return chunk;
  }

  /** @param {Chunk} chunk */
  async #send(chunk) {
    const blob = await this.source.blob(chunk);
    await this.#patiently(() => this.#put(chunk.number, blob));
    chunk.isStored = true;
    this.#inFlight = 0;
    await this.save();
    this.#onChange();
  }

  /** @param {number} number @param {Blob} blob */
  async #put(number, blob) {
    const options = { onProgress: (/** @type {number} */ sent) => this.#showProgress(sent), signal: this.#ended.signal };
    try {
      await putChunk(this.entry.template, number, blob, options);
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      const { chunk_upload_url_template: template } = await this.#listing(); // the key that signed it may have ended
      if (!template || template === this.entry.template) throw error;
      this.entry.template = template;
      await putChunk(template, number, blob, options);
    }
  }

  /** Compare with what arrived, then finalize. False: some chunks have to be sent again. */
  async #isComplete() {
    const lost = await this.#lost();
    const { recordingId, chunks, milliseconds } = this.entry;
    if (lost.length === 0) {
      const body = { total_chunks: chunks.length, final_duration_ms: milliseconds };
      try {
        await this.#patiently(() => this.#api.send("POST", `/v1/recordings/${recordingId}/finalize`, body, { signal: this.#ended.signal }));
        return true;
      } catch (error) {
        const missing = error instanceof ApiError ? (error.details.missing_chunks ?? []) : [];
        if (missing.length === 0) throw error;
        lost.push(...missing);
      }
    }
    for (const chunk of chunks) if (lost.includes(chunk.number)) chunk.isStored = false;
    await this.save();
    return false;
  }

  async #lost() {
    try {
      const held = new Map((await this.#patiently(() => this.#listing())).data.map((one) => [one.number, one]));
      return this.entry.chunks.filter((one) => !isSame(one, held.get(one.number))).map((one) => one.number);
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      return []; // a key that may record but not read: finalize still tells of what is missing
    }
  }

  /** @returns {Promise<ChunkList>} */
  #listing() {
    return this.#api.get(`/v1/recordings/${this.entry.recordingId}/chunks`, { signal: this.#ended.signal });
  }

  /**
   * @template T
   * @param {() => Promise<T>} action
   */
  async #patiently(action) {
    const onHindrance = (/** @type {ApiError | null} */ error) => {
      const problem = error === null ? null : error.status === 0 ? NO_CONNECTION : error.message;
      if (problem === this.problem) return;
      this.problem = problem;
      this.#inFlight = 0;
      this.#onChange();
    };
    return patiently(action, { onHindrance, signal: this.#ended.signal });
  }

  /** @param {number} sent */
  #showProgress(sent) {
    this.#inFlight = sent;
    this.#onChange();
  }
}

/** @param {Chunk} chunk @param {HeldChunk | undefined} held */
function isSame(chunk, held) {
  return held?.size_bytes === chunk.bytes && (chunk.sha256 === null || held.sha256 === chunk.sha256);
}

/** @param {Chunk[]} chunks @returns {Amount} */
function total(chunks) {
  return {
    bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
    milliseconds: chunks.reduce((sum, chunk) => sum + chunk.milliseconds, 0),
  };
}

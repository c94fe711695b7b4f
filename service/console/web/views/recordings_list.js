/**
 * The list of recordings as it is known here: pages of it that were read, newest first, and kept true by events.
 *
 * An event only says which recording has changed. What has become of it is read anew where somebody looks at it; the
 * rest is read when it comes into sight, so that a busy service is not asked for what nobody sees.
 */

import { ApiError } from "../api.js";

/**
 * @typedef {import("../answers.d.ts").ListedRecording} Row
 * @typedef {import("../answers.d.ts").RecordingsPage} Page
 * @typedef {import("../answers.d.ts").RecordingMessage} Message
 */

const PAGE = 100;
const ASKED_AT_ONCE = 6;

/** What has an effect on the list; of chunks and parts it shows nothing. */
export const TYPES = [
  "opened", "finalize_requested", "stitched", "transcribed", "failed", "retry_requested", "transcription_requested", "deleted",
].map((name) => `tapedeck.recording.${name}.v1`);

/**
 * The API's id of the recording that a message of `GET /v1/events` is about.
 * @param {Message} message
 */
export function recordingOf(message) {
  return `rec_${message.data.recording_id.replaceAll("-", "")}`;
}

export class RecordingsList {
  /** @type {Row[]} */
  rows = [];
  hasMore = true;
  #api;
  #filter;
  #signal;
  /** @type {string | null} */
  #cursor = null;
  /** @type {Set<string>} */
  #stale = new Set();
  #hasNew = false;
  #pagesAsked = 0;

  /**
   * `filter`: fields of the query, such as `status`. `signal`: ends every request.
   * @param {import("../api.js").Api} api
   * @param {Record<string, string>} filter
   * @param {AbortSignal} signal
   */
  constructor(api, filter, signal) {
    this.#api = api;
    this.#filter = filter;
    this.#signal = signal;
  }

  /** Read the next page. Throws ApiError. */
  async more() {
    await this.#page(this.#cursor, (page) => {
      const known = new Set(this.rows.map((row) => row.id));
      this.rows.push(...page.data.filter((row) => !known.has(row.id)));
      this.#cursor = page.next_cursor;
      this.hasMore = page.has_more;
    });
  }

  /**
   * Take note of what happened. Returns whether there is something to read or to draw.
   * @param {Message} message
   */
  happened(message) {
    const id = recordingOf(message);
    if (this.#pagesAsked) this.#stale.add(id); // the page may tell how it stood before
    if (message.type === "tapedeck.recording.deleted.v1") {
      this.rows = this.rows.filter((row) => row.id !== id);
      return true;
    }
    const isKnown = this.rows.some((row) => row.id === id);
    if (isKnown) this.#stale.add(id);
    else if (message.type === "tapedeck.recording.opened.v1" || this.#filter.status) this.#hasNew = true;
    return isKnown || this.#hasNew;
  }

  /**
   * Whether there is something new, or one of these rows has changed since it was read.
   * @param {Row[]} rows
   */
  isStale(rows) {
    return this.#hasNew || rows.some((row) => this.#stale.has(row.id));
  }

  /**
   * Read what is new, and what has changed of these rows. Throws ApiError.
   * @param {Row[]} visible
   */
  async refresh(visible) {
    if (this.#hasNew) await this.#readNew();
    const asked = visible.filter((row) => this.#stale.has(row.id)).map((row) => row.id);
    while (asked.length) await Promise.all(asked.splice(0, ASKED_AT_ONCE).map((id) => this.#read(id)));
  }

  async #readNew() {
    this.#hasNew = false;
    try {
      await this.#page(null, (page) => {
        const known = new Set(this.rows.map((row) => row.id));
        const added = page.data.filter((row) => !known.has(row.id));
        const goesOn = added.length < page.data.length || !this.rows.length;
        if (goesOn) this.rows = [...added, ...this.rows].sort(newestFirst);
        else [this.rows, this.#cursor, this.hasMore] = [page.data, page.next_cursor, page.has_more];
      });
    } catch (error) {
      this.#hasNew = true;
      throw error;
    }
  }

  /** @param {string} id */
  async #read(id) {
    this.#stale.delete(id);
    try {
      const read = await this.#api.get(`/v1/recordings/${id}`, { signal: this.#signal });
      if (this.#filter.status && read.status !== this.#filter.status) this.#remove(id);
      else this.rows = this.rows.map((row) => (row.id === id ? read : row));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return this.#remove(id);
      this.#stale.add(id);
      throw error;
    }
  }

  /** @param {string} id */
  #remove(id) {
    this.#stale.delete(id);
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  /** @param {string | null} cursor @param {(page: Page) => void} take */
  async #page(cursor, take) {
    const query = new URLSearchParams({ limit: String(PAGE), ...this.#filter });
    if (cursor !== null) query.set("cursor", cursor);
    this.#pagesAsked += 1;
    try {
      take(await this.#api.get(`/v1/recordings?${query}`, { signal: this.#signal }));
    } finally {
      this.#pagesAsked -= 1;
    }
  }
}

/** @param {Row} one @param {Row} other */
function newestFirst(one, other) {
  return other.created_at < one.created_at ? -1 : other.created_at > one.created_at ? 1 : one.id < other.id ? 1 : -1;
}

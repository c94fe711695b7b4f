/** What is said in one recording, and how far it has come, as the service tells it. */

/**
 * @import { Api } from "../api.js"
 * @import { Segment } from "../answers.js"
 * @typedef {Segment & {status: string, from_index: number, failure?: {message?: string}}} Told each event has some of it
 */

export class Listener {
  #ended = new AbortController();

  /**
   * @param {Api} api
   * @param {string} recordingId
   * @param {() => void} onChange
   */
  constructor(api, recordingId, onChange) {
    this.recordingId = recordingId;
    /** @type {string | null} */
    this.status = null;
    /** @type {Segment[]} */
    this.segments = [];
    this.isLost = false;
    this.isOver = false;
    this.isAllowed = true;
    /** @type {string | null} */
    this.problem = null;
    const onLost = (/** @type {boolean} */ isLost) => {
      this.isLost = isLost;
      onChange();
    };
    const onEvent = (/** @type {{event: string, data: string}} */ event) => {
      this.#take(event.event, JSON.parse(event.data));
      onChange();
      return this.isOver;
    };
    api.follow(`/v1/recordings/${recordingId}/live`, { onEvent, onLost, signal: this.#ended.signal }).catch((error) => {
      if (error.status === 403) this.isAllowed = false;
      else this.problem = error.message;
      onChange();
    });
  }

  stop() {
    this.#ended.abort();
  }

  /**
   * @param {string} event
   * @param {Told} data
   */
  #take(event, data) {
    if (event === "progress") this.status = data.status;
    else if (event === "segment") this.segments[data.index] = data;
    else if (event === "withdrawn") this.segments.length = data.from_index;
    else if (event === "transcript") this.#end("completed");
    else if (event === "failed") this.#end("failed", data.failure?.message ?? "The recording failed.");
    else if (event === "deleted") this.#end(null, "The recording was deleted.");
  }

  /**
   * @param {string | null} status
   * @param {string | null} problem
   */
  #end(status, problem = null) {
    this.status = status;
    this.problem = problem;
    this.isOver = true;
  }
}

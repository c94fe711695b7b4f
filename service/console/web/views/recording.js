/** One recording: how it stands. */

import { bytes, duration, nameOf } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html } from "../vendor/lit-html/lit-html.js";

export class RecordingView {
  title = "Recording";
  #app;
  #id;
  #ended = new AbortController();
  #recording = null;
  #problem = null;

  constructor(app, { id }) {
    this.#app = app;
    this.#id = id;
  }

  start() {
    this.#load();
  }

  stop() {
    this.#ended.abort();
  }

  template() {
    if (this.#recording === null) return this.#problem ? problem(this.#problem) : html`<p>Loading…</p>`;
    const one = this.#recording;
    return html`<p>${stateBadge(one.status)} ${duration(one.duration_ms)} ${bytes(one.file_size_bytes)}</p>`;
  }

  async #load() {
    try {
      this.#recording = await this.#app.api.get(`/v1/recordings/${this.#id}`, { signal: this.#ended.signal });
      this.title = nameOf(this.#recording);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#problem = error.message;
    }
    this.#app.update();
  }
}

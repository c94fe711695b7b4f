/** All recordings of the key's project, newest first. */

import { bytes, duration, nameOf, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";

const PAGE = 100;

export class RecordingsView {
  title = "Recordings";
  #app;
  #ended = new AbortController();
  #recordings = [];
  #cursor = null;
  #isLoading = true;
  #problem = null;

  constructor(app) {
    this.#app = app;
  }

  start() {
    this.#load();
  }

  stop() {
    this.#ended.abort();
  }

  template() {
    return html`
      ${problem(this.#problem)}
      ${this.#recordings.length ? this.#table() : this.#isLoading ? html`<p>Loading…</p>` : html`<p>There are none yet.</p>`}
      ${this.#cursor ? html`<button @click=${() => this.#load()} ?disabled=${this.#isLoading}>Show more</button>` : nothing}
    `;
  }

  #table() {
    return html`
      <table class="list">
        <thead><tr><th scope="col">Recording</th><th scope="col">State</th><th scope="col">Length</th>
          <th scope="col">Size</th><th scope="col">Begun</th></tr></thead>
        <tbody>${repeat(this.#recordings, (one) => one.id, (one) => this.#row(one))}</tbody>
      </table>
    `;
  }

  #row(one) {
    return html`
      <tr>
        <td><a href="/console/recordings/${one.id}">${nameOf(one)}</a></td>
        <td>${stateBadge(one.status)}</td>
        <td>${duration(one.duration_ms)}</td>
        <td>${bytes(one.file_size_bytes)}</td>
        <td>${time(one.created_at)}</td>
      </tr>
    `;
  }

  async #load() {
    this.#isLoading = true;
    this.#problem = null;
    this.#app.update();
    try {
      const after = this.#cursor ? `&cursor=${encodeURIComponent(this.#cursor)}` : "";
      const page = await this.#app.api.get(`/v1/recordings?limit=${PAGE}${after}`, { signal: this.#ended.signal });
      this.#recordings.push(...page.data);
      this.#cursor = page.next_cursor;
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#problem = error.message;
    }
    this.#isLoading = false;
    this.#app.update();
  }
}

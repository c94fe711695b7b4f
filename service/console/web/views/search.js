/** Finding what was said in the recordings of one end user. */

import { pause } from "../api.js";
import { duration, time } from "../format.js";
import { problem } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";

const RESULTS = 50;
const TRIES = 3;
const TRY_AGAIN_MS = 1000;
const END_USERS = 100;
const OF_THE_CONSOLE = "eu_console";

export class SearchView {
  title = "Search";
  #app;
  #ended = new AbortController();
  #asked = Object.fromEntries(new URLSearchParams(location.search));
  #endUsers = [];
  #found = null;
  #isSearching = false;
  #problem = null;

  constructor(app) {
    this.#app = app;
  }

  start() {
    this.#loadEndUsers();
    if (this.#asked.query && this.#asked.end_user_id) this.#search();
  }

  stop() {
    this.#ended.abort();
  }

  template() {
    return html`
      <form class="filters" role="search" @submit=${(event) => this.#submit(event)}>
        <label>Words <input name="query" type="search" required maxlength="400" .value=${this.#asked.query ?? ""}></label>
        <label>End user <input name="end_user_id" required list="end-users" placeholder="eu_…" pattern="eu_[A-Za-z0-9]+"
          title="eu_ followed by letters and digits" spellcheck="false" autocomplete="off" .value=${this.#asked.end_user_id ?? OF_THE_CONSOLE}></label>
        <datalist id="end-users"><option value=${OF_THE_CONSOLE}>recorded in a browser</option>${this.#endUsers.map((one) => html`<option value=${one.id}>${one.name ?? one.external_id ?? ""}</option>`)}</datalist>
        <button class="main" ?disabled=${this.#isSearching}>Search</button>
      </form>
      ${problem(this.#problem)} ${this.#found === null ? nothing : this.#results()}
    `;
  }

  #results() {
    if (!this.#found.length) return html`<p role="status">Nothing was found.</p>`;
    return html`
      <p class="count" role="status">${this.#found.length} ${this.#found.length === 1 ? "passage" : "passages"}, the best first</p>
      <ol class="passages">${this.#found.map((one) => this.#passage(one))}</ol>
    `;
  }

  #passage(one) {
    const start = duration(one.start_ms);
    return html`
      <li>
        <a href="/console/recordings/${one.recording_id}?at=${one.start_ms}">${time(one.recorded_at) || "Recording"}, at ${start}</a>
        <p>${one.speaker ? html`<b>${one.speaker}</b> ` : nothing}${one.chunk_text}</p>
      </li>
    `;
  }

  #submit(event) {
    event.preventDefault();
    this.#asked = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
    history.replaceState(null, "", `${location.pathname}?${new URLSearchParams(this.#asked)}`);
    this.#search();
  }

  async #search() {
    [this.#isSearching, this.#problem] = [true, null];
    this.#app.update();
    try {
      const { query, end_user_id } = this.#asked;
      const body = { query, end_user_id, limit: RESULTS };
      const { signal } = this.#ended;
      const search = () => this.#app.api.send("POST", "/v1/recordings/search", body, { signal });
      this.#found = (await this.#again(search)).results;
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      [this.#problem, this.#found] = [error.message, null];
    }
    this.#isSearching = false;
    this.#app.update();
  }

  /** Ask, and ask again a moment later, a few times, where it may succeed then. Throws ApiError. */
  async #again(ask) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask();
      } catch (error) {
        if (!error.isPassing || tries === TRIES) throw error;
        await pause(TRY_AGAIN_MS, this.#ended.signal);
      }
    }
  }

  /** For suggestions only: a key that may not list end users can still be told one. */
  async #loadEndUsers() {
    try {
      const { signal } = this.#ended;
      this.#endUsers = (await this.#again(() => this.#app.api.get(`/v1/end-users?limit=${END_USERS}`, { signal }))).data;
    } catch (error) {
      if (this.#ended.signal.aborted || error.status === 403) return;
      this.#problem = error.message;
    }
    this.#app.update();
  }
}

/** All recordings of the key's project, newest first. The list is kept true by the service's events. */

import { ApiError, pause } from "../api.js";
import { bytes, duration, nameOf, state, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { RecordingsList, TYPES } from "./recordings_list.js";
import { rowsInSight } from "./window.js";

const STATUSES = ["pending", "streaming", "uploaded", "processing", "completed", "failed"];
const ROW_REM = 3.5;
const PHONE_ROW_REM = 4.75;
const NARROW = matchMedia("(max-width: 40rem)");
const READ_EVERY_MS = 500;

export class RecordingsView {
  title = "Recordings";
  #app;
  #shown = null;
  #filter = {};
  #list = null;
  #isLoading = false;
  #isReading = false;
  #isLost = false;
  #problem = null;
  #scrolled = () => this.#app.update();

  constructor(app) {
    this.#app = app;
  }

  start() {
    for (const event of ["scroll", "resize"]) addEventListener(event, this.#scrolled, { passive: true });
    const query = new URLSearchParams(location.search);
    for (const name of ["status", "end_user_id"]) if (query.get(name)) this.#filter[name] = query.get(name);
    this.#show();
  }

  stop() {
    for (const event of ["scroll", "resize"]) removeEventListener(event, this.#scrolled);
    this.#shown?.abort();
  }

  template() {
    const rows = this.#list?.rows ?? [];
    return html`
      <div class="above">
        <form class="filters" role="search" aria-label="Filter" @submit=${(event) => this.#choose(event)}
            @change=${(event) => this.#choose(event)}>
          <label>State <select name="status" .value=${live(this.#filter.status ?? "")}>
            <option value="">all</option>
            ${STATUSES.map((status) => html`<option value=${status}>${state(status).word}</option>`)}
          </select></label>
          <label>End user <input name="end_user_id" placeholder="eu_…" .value=${live(this.#filter.end_user_id ?? "")}
            pattern="eu_[A-Za-z0-9]+" title="eu_ followed by letters and digits" spellcheck="false" autocomplete="off"></label>
        </form>
        <a class="main button" href="/console/record">Record or upload</a>
      </div>
      ${problem(this.#problem)}
      ${this.#isLost ? html`<p class="note" role="status">The service cannot be reached. What is shown may be old; it is tried again.</p>` : nothing}
      ${rows.length ? this.#table(rows) : this.#empty()}
    `;
  }

  #empty() {
    if (this.#isLoading) return html`<p>Loading…</p>`;
    if (this.#problem) return nothing;
    return Object.keys(this.#filter).length
      ? html`<p>No recording is like this. <button @click=${() => this.#filterBy({})}>Show all</button></p>`
      : html`<p>There are none yet.</p>`;
  }

  #table(rows) {
    const { first, last, before, after } = this.#inSight();
    this.#readOn(last);
    if (this.#list.isStale(rows.slice(first, last))) this.#readSoon(this.#shown.signal);
    return html`
      <table class="list" aria-rowcount=${this.#list.hasMore ? -1 : rows.length + 1}>
        <thead><tr aria-rowindex="1"><th scope="col">Recording</th><th scope="col">State</th><th scope="col">Length</th>
          <th scope="col">Size</th><th scope="col">Begun</th></tr></thead>
        <tbody id="rows">
          <tr class="gap" aria-hidden="true"><td colspan="5" height=${before}></td></tr>
          ${repeat(rows.slice(first, last), (one) => one.id, (one, at) => this.#row(one, first + at))}
          <tr class="gap" aria-hidden="true"><td colspan="5" height=${after}></td></tr>
        </tbody>
      </table>
      <p class="count">${rows.length.toLocaleString()} ${this.#list.hasMore ? "so far" : rows.length === 1 ? "recording" : "recordings"}</p>
    `;
  }

  #row(one, at) {
    return html`
      <tr aria-rowindex=${at + 2}>
        <td><a href="/console/recordings/${one.id}" title=${nameOf(one)}>${nameOf(one)}</a></td>
        <td>${stateBadge(one.status)}</td>
        <td>${duration(one.duration_ms)}</td>
        <td>${bytes(one.file_size_bytes)}</td>
        <td>${time(one.created_at)}</td>
      </tr>
    `;
  }

  #inSight() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = (NARROW.matches ? PHONE_ROW_REM : ROW_REM) * rem;
    const top = document.getElementById("rows")?.getBoundingClientRect().top ?? 0;
    return rowsInSight({ count: this.#list.rows.length, top, height, windowHeight: innerHeight });
  }

  #visible() {
    const { first, last } = this.#inSight();
    return this.#list.rows.slice(first, last);
  }

  #choose(event) {
    event.preventDefault();
    const form = event.currentTarget;
    if (!form.reportValidity()) return;
    const chosen = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
    this.#filterBy(Object.fromEntries(Object.entries(chosen).filter(([, value]) => value)));
  }

  #filterBy(filter) {
    this.#filter = filter;
    const query = new URLSearchParams(filter).toString();
    history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
    this.#show();
  }

  /** Begin anew: follow what happens, and read the list once nothing can be missed any more. */
  async #show() {
    this.#shown?.abort();
    const shown = (this.#shown = new AbortController());
    this.#list = new RecordingsList(this.#app.api, this.#filter, shown.signal);
    [this.#problem, this.#isLoading] = [null, true];
    this.#app.update();
    let hasBegun = false;
    try {
      await this.#app.api.follow(`/v1/events?types=${TYPES}`, {
        signal: shown.signal,
        onLost: (isLost) => {
          this.#isLost = isLost;
          this.#app.update();
          if (!isLost && !hasBegun) this.#load();
          if (!isLost) hasBegun = true;
        },
        onEvent: ({ data }) => {
          if (!this.#list.happened(JSON.parse(data))) return;
          this.#app.update();
          this.#readSoon(shown.signal);
        },
      });
    } catch (error) {
      if (shown.signal.aborted) return;
      if (error instanceof ApiError && error.status === 400 && hasBegun) return this.#show(); // the data is another's now
      this.#fails(error);
    }
  }

  async #load() {
    const list = this.#list;
    this.#isLoading = true;
    await this.#tried(list, () => list.more());
    if (list === this.#list) this.#isLoading = false;
    this.#app.update();
  }

  /** Read the next page when its rows come near. */
  #readOn(last) {
    if (last === this.#list.rows.length && this.#list.hasMore && !this.#isLoading && !this.#problem) this.#load();
  }

  async #readSoon(signal) {
    if (this.#isReading) return;
    this.#isReading = true;
    await pause(READ_EVERY_MS, signal);
    this.#isReading = false;
    const list = this.#list;
    if (!signal.aborted) await this.#tried(list, () => list.refresh(this.#visible()));
  }

  async #tried(list, work) {
    try {
      await work();
    } catch (error) {
      if (list === this.#list && error.name !== "AbortError") this.#fails(error);
    }
    this.#app.update();
  }

  #fails(error) {
    this.#problem = error.message;
    this.#isLoading = false;
    this.#app.update();
  }
}

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
const TRY_AGAIN_MS = 2000;

export class RecordingsView {
  title = "Recordings";
  #app;
  #ended = new AbortController();
  #shown = new AbortController();
  #stream = new AbortController();
  #place = null; // in the stream: what happened up to there is known to the list
  #hasBegun = false;
  #filter = {};
  #list = null;
  #isLoading = false;
  #isReading = null; // the list that is, if any
  #isLost = false;
  #problem = null;
  #scrolled = () => this.#app.update();

  constructor(app) {
    this.#app = app;
  }

  start() {
    const { signal } = this.#ended;
    for (const event of ["scroll", "resize"]) addEventListener(event, this.#scrolled, { passive: true, signal });
    document.addEventListener("visibilitychange", () => this.#seenOrNot(), { signal });
    const query = new URLSearchParams(location.search);
    for (const name of ["status", "end_user_id"]) if (query.get(name)) this.#filter[name] = query.get(name);
    this.#show();
  }

  stop() {
    for (const what of [this.#ended, this.#shown, this.#stream]) what.abort();
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
      ${this.#isLost ? html`<p class="note" role="status">The service cannot be reached. What is shown may be old; it is tried again.</p>` : problem(this.#problem)}
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
    if (this.#list.isStale(rows.slice(first, last)) && !this.#problem) this.#readSoon();
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
  #show() {
    this.#shown.abort();
    this.#shown = new AbortController();
    this.#list = new RecordingsList(this.#app.api, this.#filter, this.#shown.signal);
    [this.#problem, this.#isLoading, this.#hasBegun, this.#place] = [null, true, false, null];
    this.#app.update();
    this.#follow();
  }

  /** Follow what happens, from where that was left. */
  async #follow() {
    this.#stream.abort();
    const { signal } = (this.#stream = new AbortController());
    try {
      await this.#app.api.follow(`/v1/events?types=${TYPES}`, {
        signal,
        lastEventId: this.#place,
        onPlace: (id) => (this.#place = id),
        onLost: (isLost) => this.#lose(isLost),
        onEvent: ({ data }) => {
          if (!this.#list.happened(JSON.parse(data))) return;
          this.#app.update();
          this.#readSoon();
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status === 400 && this.#hasBegun) return this.#show(); // the data is another's now
      this.#isLoading = false;
      this.#fails(error);
    }
  }

  /** A tab that nobody sees holds no connection: browsers have few of them for all tabs together. */
  #seenOrNot() {
    if (document.hidden) this.#stream.abort();
    else if (this.#stream.signal.aborted) this.#hasBegun && this.#place === null ? this.#show() : this.#follow();
  }

  #lose(isLost) {
    this.#isLost = isLost;
    this.#app.update();
    if (isLost || this.#hasBegun) return;
    this.#hasBegun = true;
    this.#load();
  }

  async #load() {
    const list = this.#list;
    this.#isLoading = true;
    await this.#tried(() => list.more());
    if (list === this.#list) this.#isLoading = false;
    this.#app.update();
  }

  /** Read the next page when its rows come near. */
  #readOn(last) {
    if (last === this.#list.rows.length && this.#list.hasMore && !this.#isLoading && !this.#problem) this.#load();
  }

  /** Read what has changed, a moment later: more may have by then. */
  async #readSoon() {
    const list = this.#list;
    if (this.#isReading === list) return;
    this.#isReading = list;
    const { signal } = this.#shown;
    do {
      await pause(READ_EVERY_MS, signal);
      await this.#tried(() => list.refresh(this.#visible()));
    } while (!signal.aborted && !this.#problem && list.isStale(this.#visible()));
    if (this.#isReading === list) this.#isReading = null;
  }

  /** Do what reads the list that is shown. What fails for the moment is told, and tried again as long as it is shown. */
  async #tried(work) {
    const { signal } = this.#shown;
    while (!signal.aborted) {
      try {
        await work();
        if (!signal.aborted) this.#problem = null;
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#fails(error);
        if (!error.isPassing) return;
        await pause(TRY_AGAIN_MS, signal);
      }
    }
    this.#app.update();
  }

  #fails(error) {
    this.#problem = error.message;
    this.#app.update();
  }
}

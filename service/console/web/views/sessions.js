/** The ambient sessions that clients of Dragon's API announced, newest first. */

import { time } from "../format.js";
import { followSessions } from "../news.js";
import { problem } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { counted } from "./recording/events.js";

const EVERY_MS = 30_000; // beside the events, which tell at once
const PAGE = 50;

const STATES = { open: ["busy", "◔", "open"], ended: ["good", "●", "ended"] };

/** Whether further recordings may begin in a session, in words and with a shape. */
export function sessionBadge(status) {
  const [look, shape, word] = STATES[status];
  return html`<span class="state ${look}"><span aria-hidden="true">${shape}</span> ${word}</span>`;
}

export class SessionsView extends RefreshedView {
  title = "Sessions";
  #app;
  #sessions = null;
  #status = "";
  #cursor = null;
  #nextCursor = null;
  #hasTurned = false;

  constructor(app) {
    super(app, EVERY_MS);
    this.#app = app;
    const status = new URLSearchParams(location.search).get("status");
    if (Object.hasOwn(STATES, status)) this.#status = status;
  }

  start() {
    super.start();
    followSessions(this.#app.api, {
      concerns: ({ data }) => data.client_ids.correlationId !== undefined,
      onNews: () => this.refreshing.soon(),
      signal: this.ended.signal,
    });
  }

  template() {
    return html`
      <p class="lead">Encounters that clients of Dragon’s API announce before they record.</p>
      <div class="above">
        <form class="filters" role="search" aria-label="Filter" @submit=${(event) => event.preventDefault()}>
          <label>State <select name="status" .value=${live(this.#status)}
              @change=${(event) => this.#filterBy(event.target.value)}>
            <option value="">all</option>
            ${Object.entries(STATES).map(([status, [, , word]]) => html`<option value=${status}>${word}</option>`)}
          </select></label>
        </form>
      </div>
      ${problem(this.problem)} ${this.#list()}
    `;
  }

  #list() {
    if (this.#sessions === null) return this.problem ? nothing : html`<p>Loading…</p>`;
    if (this.#sessions.length === 0 && this.#cursor === null) return this.#empty();
    return html`
      <table class="list stacked sessions">
        <thead><tr><th scope="col">Session</th><th scope="col">State</th><th scope="col">Recordings</th>
          <th scope="col">Announced</th><th scope="col">Last activity</th></tr></thead>
        <tbody>${repeat(this.#sessions, (one) => one.id, row)}</tbody>
      </table>
      <div class="row">
        ${this.#cursor ? html`<button @click=${() => this.#turnTo(null)}>Newest</button>` : nothing}
        ${this.#nextCursor ? html`<button @click=${() => this.#turnTo(this.#nextCursor)}>Older</button>` : nothing}
      </div>
    `;
  }

  #empty() {
    return this.#status
      ? html`<p>No session is like this. <button @click=${() => this.#filterBy("")}>Show all</button></p>`
      : html`<p>There are none yet: a session is here once a client of Dragon’s API has announced it.</p>`;
  }

  async load() {
    const asked = this.#query();
    const page = await this.#app.api.get(`/v1/ambient-sessions?${asked}`, { signal: this.ended.signal });
    if (asked !== this.#query()) return; // something else was chosen meanwhile, and is loaded next
    [this.#sessions, this.#nextCursor] = [page.data, page.next_cursor];
    if (this.#hasTurned) this.#showBeginning();
  }

  #showBeginning() {
    this.#hasTurned = false;
    scrollTo(0, 0);
    document.querySelector("h1").focus({ preventScroll: true });
  }

  #query() {
    const query = new URLSearchParams({ limit: PAGE });
    if (this.#status) query.set("status", this.#status);
    if (this.#cursor) query.set("cursor", this.#cursor);
    return query.toString();
  }

  #filterBy(status) {
    this.#status = status;
    history.replaceState(null, "", location.pathname + (status ? `?status=${status}` : ""));
    this.#cursor = null;
    this.refreshing.soon();
  }

  #turnTo(cursor) {
    this.#cursor = cursor;
    this.#hasTurned = true;
    this.refreshing.soon();
  }
}

function row(one) {
  return html`
    <tr>
      <td><a href="/console/sessions/${one.id}">${one.correlation_id}</a>
        ${one.external_user_id ? html`<span class="user">${one.external_user_id}</span>` : nothing}</td>
      <td>${sessionBadge(one.status)}</td>
      <td>${counted(one.recording_count, "recording")}</td>
      <td class="announced">${time(one.created_at)}</td>
      <td>${time(one.last_activity_at)}</td>
    </tr>
  `;
}

/** One ambient session: what its client said of it, and its recordings. */

import { duration, time } from "../format.js";
import { followSessions } from "../news.js";
import { problem, stateBadge } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { sessionBadge } from "./sessions.js";

const EVERY_MS = 30_000; // beside the events, which tell at once

export class SessionView extends RefreshedView {
  title = "Session";
  #app;
  #path;
  #session = null;

  constructor(app, { id }) {
    super(app, EVERY_MS);
    this.#app = app;
    this.#path = `/v1/ambient-sessions/${id}`;
  }

  start() {
    super.start();
    followSessions(this.#app.api, {
      concerns: ({ data }) => this.#session === null || data.client_ids.correlationId === this.#session.correlation_id,
      onNews: () => this.refreshing.soon(),
      signal: this.ended.signal,
    });
  }

  template() {
    return html`
      <p><a href="/console/sessions">All sessions</a></p>
      ${problem(this.problem)}
      ${this.#session === null ? (this.problem ? nothing : html`<p>Loading…</p>`) : this.#whole()}
    `;
  }

  #whole() {
    const one = this.#session;
    return html`
      ${facts([
        ["Client’s id", html`<code>${one.correlation_id}</code>`],
        ["State", sessionBadge(one.status)],
        ["Announced", time(one.created_at)],
        ["Last activity", time(one.last_activity_at)],
        ["Ended", time(one.ended_at)],
      ])}
      <h2>Recordings</h2>
      ${one.recordings.length ? recordings(one) : html`<p>There are none in this session.</p>`}
      <h2>What the client said</h2>
      ${facts([
        ["User", one.external_user_id],
        ["EHR instance", one.ehr_instance_id],
        ["Partner", html`<code>${one.partner_id}</code>`],
        ["Product", html`<code>${one.product_id}</code>`],
      ])}
    `;
  }

  async load() {
    this.#session = await this.#app.api.get(this.#path, { signal: this.ended.signal });
  }
}

/** Those of the facts that are known, as [name, value]. */
function facts(all) {
  const fact = ([name, value]) => (value ? html`<dt>${name}</dt><dd>${value}</dd>` : nothing);
  return html`<dl class="facts session">${all.map(fact)}</dl>`;
}

function recordings({ recordings, recording_count: count }) {
  const left = count - recordings.length;
  return html`
    <table class="list stacked sessions">
      <thead><tr><th scope="col">Recording</th><th scope="col">State</th><th scope="col">Length</th>
        <th scope="col">Begun</th></tr></thead>
      <tbody>${repeat(recordings, (one) => one.id, row)}</tbody>
    </table>
    ${left > 0 ? html`<p class="count">The newest ${recordings.length} of ${count.toLocaleString()} recordings.</p>` : nothing}
  `;
}

/** A recording is numbered within its session, after the slash in its client's name. */
function row(one) {
  return html`
    <tr>
      <td><a href="/console/recordings/${one.id}">Recording ${one.external_id.split("/").at(-1)}</a></td>
      <td>${stateBadge(one.status)}</td>
      <td>${duration(one.duration_ms)}</td>
      <td>${time(one.created_at)}</td>
    </tr>
  `;
}

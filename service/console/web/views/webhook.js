/** One webhook endpoint: how it stands, what it was sent and what it answered, and sending it again. */

import { confirmed } from "../asking.js";
import { time } from "../format.js";
import { problem } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { endpointBadge } from "./webhooks.js";

const EVERY_MS = 3_000;
const PAGE = 50;

const STATES = {
  pending: ["busy", "◔", "on its way"],
  delivered: ["good", "●", "delivered"],
  failed: ["bad", "✕", "failed"],
};

export class WebhookView extends RefreshedView {
  title = "Webhook";
  #app;
  #path;
  #webhook = null;
  #deliveries = null;
  #bodies = new Map();
  #cursor = null;
  #nextCursor = null;
  #actionProblem = null;

  constructor(app, { id }) {
    super(app, EVERY_MS);
    this.#app = app;
    this.#path = `/v1/webhooks/${id}`;
  }

  template() {
    return html`
      <p><a href="/console/webhooks">All webhooks</a></p>
      ${problem(this.problem)} ${problem(this.#actionProblem)}
      ${this.#webhook === null ? (this.problem ? nothing : html`<p>Loading…</p>`) : this.#facts()}
      ${this.#deliveries === null ? nothing : this.#list()}
    `;
  }

  #facts() {
    const one = this.#webhook;
    return html`
      <dl class="facts">
        <dt>Address</dt><dd class="code">${one.url}</dd>
        <dt>State</dt><dd>${endpointBadge(one)}</dd>
        <dt>Events</dt><dd class="names">${one.events.join(", ")}</dd>
        <dt>Registered</dt><dd>${time(one.created_at)}</dd>
      </dl>
      ${this.#app.allows("webhooks:write")
        ? html`<div class="row">
            <button @click=${() => this.#sendFailedAgain()}>Send all that failed again</button>
            <button class="danger" @click=${() => this.#delete()}>Delete</button>
          </div>`
        : nothing}
    `;
  }

  #list() {
    return html`
      <h2>Deliveries</h2>
      ${this.#deliveries.length === 0
        ? html`<p>Nothing was sent yet.</p>`
        : html`<div class="deliveries">
            ${repeat(this.#deliveries, (one) => one.id, (one) => this.#delivery(one))}
          </div>`}
      <div class="row">
        ${this.#cursor ? html`<button @click=${() => this.#turnTo(null)}>Newest</button>` : nothing}
        ${this.#nextCursor
          ? html`<button @click=${() => this.#turnTo(this.#nextCursor)}>Older</button>`
          : nothing}
      </div>
    `;
  }

  #delivery(one) {
    const [look, shape, word] = STATES[one.status];
    const count = one.attempts.length;
    return html`
      <details class="delivery" data-id=${one.id} @toggle=${(event) => this.#opened(event, one)}>
        <summary>
          <span class="state ${look}"><span aria-hidden="true">${shape}</span> ${word}</span>
          <code>${one.type}</code>
          <span>${time(one.created_at)}</span>
          <span>${count === 1 ? "1 attempt" : `${count} attempts`}</span>
        </summary>
        <dl class="facts">
          <dt>Recording</dt>
          <dd><a href="/console/recordings/${one.recording_id}"><code>${one.recording_id}</code></a></dd>
          <dt>Event</dt><dd><code>${one.event_id}</code></dd>
          ${one.next_attempt_at ? html`<dt>Next attempt</dt><dd>${time(one.next_attempt_at)}</dd>` : nothing}
        </dl>
        ${this.#app.allows("webhooks:write")
          ? html`<button class="small" @click=${() => this.#sendAgain(one)}>Send again</button>`
          : nothing}
        <h3>Attempts</h3>
        ${count === 0
          ? html`<p>None yet.</p>`
          : html`<ol class="attempts">${one.attempts.map((attempt) => this.#attempt(attempt))}</ol>`}
        <h3>Body</h3>
        ${this.#body(one)}
      </details>
    `;
  }

  #attempt(attempt) {
    const isTaken = attempt.status_code >= 200 && attempt.status_code < 300;
    const outcome = attempt.status_code === null ? attempt.error : `answered ${attempt.status_code}`;
    return html`
      <li value=${attempt.number}>
        <span class="state ${isTaken ? "good" : "bad"}"><span aria-hidden="true">${isTaken ? "●" : "✕"}</span>
          ${outcome}</span>
        <span>${time(attempt.at)}, took ${attempt.duration_ms} ms</span>
        ${attempt.response_body ? html`<pre>${attempt.response_body}</pre>` : nothing}
      </li>
    `;
  }

  #body(one) {
    const body = this.#bodies.get(one.id);
    if (body === undefined) return html`<p>Loading…</p>`;
    return body.problem ? problem(body.problem) : html`<pre class="body">${indented(body.text)}</pre>`;
  }

  async load() {
    const { signal } = this.ended;
    const cursor = this.#cursor;
    const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const [webhook, page] = await Promise.all([
      this.#app.api.get(this.#path, { signal }),
      this.#app.api.get(`${this.#path}/deliveries?limit=${PAGE}${after}`, { signal }),
    ]);
    this.#webhook = webhook;
    if (cursor !== this.#cursor) return; // another page was turned to meanwhile, and is loaded next
    this.#deliveries = page.data;
    this.#nextCursor = page.next_cursor;
  }

  #turnTo(cursor) {
    this.#cursor = cursor;
    this.refreshing.soon();
  }

  /** The body is asked for once, when it is to be seen: it is the same at each attempt. */
  async #opened(event, one) {
    if (!event.target.open || this.#bodies.get(one.id)?.text) return;
    this.#bodies.delete(one.id);
    try {
      const whole = await this.#app.api.get(`${this.#path}/deliveries/${one.id}`, { signal: this.ended.signal });
      this.#bodies.set(one.id, { text: whole.request_body });
    } catch (error) {
      if (this.ended.signal.aborted) return;
      this.#bodies.set(one.id, { problem: error.message });
    }
    this.#app.update();
  }

  async #sendAgain(one) {
    await this.#act(async (options) => {
      await this.#app.api.send("POST", `${this.#path}/deliveries/${one.id}/redeliver`, undefined, options);
      this.#app.announce("It is sent again.");
    });
  }

  async #sendFailedAgain() {
    await this.#act(async (options) => {
      const answer = await this.#app.api.send("POST", `${this.#path}/redeliver`, undefined, options);
      this.#app.announce(`${answer.redelivered} failed deliveries are sent again.`);
    });
  }

  async #delete() {
    const isSure = await confirmed({
      question: `Delete ${this.#webhook.url}?`,
      consequence: "It is told nothing more. Its secret and the record of what it was sent are deleted with it.",
      yes: "Delete",
      signal: this.ended.signal,
    });
    if (!isSure) return;
    await this.#act(async (options) => {
      await this.#app.api.send("DELETE", this.#path, undefined, options);
      this.#app.go("/console/webhooks");
    });
  }

  async #act(work) {
    this.#actionProblem = null;
    try {
      await work({ signal: this.ended.signal });
      this.refreshing.soon();
    } catch (error) {
      if (this.ended.signal.aborted) return;
      this.#actionProblem = error.message;
      this.#app.update();
    }
  }
}

/** JSON on several lines, for people. */
function indented(text) {
  return JSON.stringify(JSON.parse(text), null, 2);
}

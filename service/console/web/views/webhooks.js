/** The project's webhook endpoints: list them, register one, delete one. */

import { confirmed } from "../asking.js";
import { time } from "../format.js";
import { problem } from "../parts.js";
import { RefreshedView } from "../refreshing.js";
import { shownOnce } from "../shown_once.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";

const EVERY_MS = 10_000;

/** What a receiver can be told, by what it is about. */
const EVENTS = [
  ["Recordings", ["recording.created", "recording.uploaded", "recording.deleted"]],
  [
    "Transcriptions",
    ["transcription.queued", "transcription.started", "transcription.completed", "transcription.failed"],
  ],
  ["Summaries and notes", ["summary.started", "summary.completed", "summary.failed", "note.edited"]],
];
const CHOSEN_AT_FIRST = new Set(["recording.uploaded", "transcription.completed", "transcription.failed"]);

/** Whether an endpoint takes what it is sent, in words and with a shape. */
export function endpointBadge(webhook) {
  return webhook.status === "failing"
    ? html`<span class="state bad"><span aria-hidden="true">✕</span> failing since ${time(webhook.failing_since)}</span>`
    : html`<span class="state good"><span aria-hidden="true">●</span> active</span>`;
}

export class WebhooksView extends RefreshedView {
  title = "Webhooks";
  #app;
  #webhooks = null;
  #made = null;
  #isSaving = false;
  #formProblem = null;

  constructor(app) {
    super(app, EVERY_MS);
    this.#app = app;
  }

  template() {
    return html`
      <p class="lead">Addresses that are told what happens to recordings, in signed requests.</p>
      ${problem(this.problem)} ${this.#secret()} ${this.#list()}
      ${this.#app.allows("webhooks:write") ? this.#form() : nothing}
    `;
  }

  #secret() {
    if (this.#made === null) return nothing;
    return shownOnce(this.#app, {
      name: `Secret of ${this.#made.url}`,
      advice: "The receiver checks signatures with it. It is shown this once.",
      value: this.#made.secret,
      onDone: () => {
        this.#made = null;
        this.#app.update();
      },
    });
  }

  #list() {
    if (this.#webhooks === null) return this.problem ? nothing : html`<p>Loading…</p>`;
    if (this.#webhooks.length === 0) return html`<p>There are none yet.</p>`;
    return html`
      <table class="list stacked">
        <thead><tr><th scope="col">Address</th><th scope="col">State</th><th scope="col">Events</th>
          <th scope="col">Registered</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
        <tbody>${repeat(this.#webhooks, (one) => one.id, (one) => this.#row(one))}</tbody>
      </table>
    `;
  }

  #row(one) {
    return html`
      <tr>
        <td><a href="/console/webhooks/${one.id}">${one.url}</a></td>
        <td>${endpointBadge(one)}</td>
        <td class="names">${one.events.join(", ")}</td>
        <td>${time(one.created_at)}</td>
        <td>${this.#app.allows("webhooks:write")
          ? html`<button class="small" aria-label="Delete ${one.url}" @click=${() => this.#delete(one)}>Delete</button>`
          : nothing}</td>
      </tr>
    `;
  }

  #form() {
    const box = (name) => html`
      <label class="choice"><input type="checkbox" name="events" value=${name}
        ?checked=${CHOSEN_AT_FIRST.has(name)}> <code>${name}</code></label>
    `;
    return html`
      <details class="card new">
        <summary>New webhook</summary>
        <form @submit=${(event) => this.#create(event)}>
          ${problem(this.#formProblem)}
          <label for="url">Address</label>
          <input id="url" name="url" type="url" required autocomplete="off" placeholder="https://…">
          <div class="choices">
            ${EVENTS.map(([about, names]) => html`<fieldset><legend>${about}</legend>${names.map(box)}</fieldset>`)}
          </div>
          <button class="main" ?disabled=${this.#isSaving}>Register</button>
        </form>
      </details>
    `;
  }

  async load() {
    const page = await this.#app.api.get("/v1/webhooks", { signal: this.ended.signal });
    this.#webhooks = page.data;
  }

  async #create(event) {
    event.preventDefault();
    const form = event.target;
    const asked = new FormData(form);
    this.#isSaving = true;
    this.#formProblem = null;
    this.#app.update();
    try {
      const body = { url: asked.get("url").trim(), events: asked.getAll("events") };
      this.#made = await this.#app.api.send("POST", "/v1/webhooks", body, { signal: this.ended.signal });
      form.reset();
      form.closest("details").open = false;
      this.#app.announce("The webhook is registered. Copy its secret.");
      this.refreshing.soon();
    } catch (error) {
      if (this.ended.signal.aborted) return;
      this.#formProblem = error.message;
    }
    this.#isSaving = false;
    this.#app.update();
  }

  async #delete(one) {
    const { signal } = this.ended;
    const isSure = await confirmed({
      question: `Delete ${one.url}?`,
      consequence: "It is told nothing more. Its secret and the record of what it was sent are deleted with it.",
      yes: "Delete",
      signal,
    });
    if (!isSure) return;
    try {
      await this.#app.api.send("DELETE", `/v1/webhooks/${one.id}`, undefined, { signal });
      this.#app.announce("The webhook is deleted.");
      this.refreshing.soon();
    } catch (error) {
      if (!signal.aborted) this.show(error);
    }
  }
}

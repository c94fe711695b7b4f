/** What happened to a recording, event by event, and how it stood after any of them. */

import { keepingFocus } from "../../focus.js";
import { bytes, duration, state } from "../../format.js";
import { problem } from "../../parts.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { facts, sentence } from "./events.js";

const PAGE = 100;
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

export class History {
  element = document.createElement("section");
  #app;
  #id;
  #signal;
  #events = [];
  #countBefore = 0;
  #cursor = null;
  #next = null;
  #states = new Map();
  #problem = null;

  constructor(app, id, signal) {
    this.#app = app;
    this.#id = id;
    this.#signal = signal;
    this.element.className = "history";
    this.element.setAttribute("aria-labelledby", "history");
  }

  /** Read the last page that is shown anew: those before it never change. Throws ApiError. */
  async load() {
    const after = this.#cursor === null ? "" : `&cursor=${encodeURIComponent(this.#cursor)}`;
    const page = await this.#app.api.get(`/v1/recordings/${this.#id}/events?limit=${PAGE}${after}`, { signal: this.#signal });
    this.#events.splice(this.#countBefore, Infinity, ...page.data);
    this.#next = page.next_cursor;
    this.#draw();
  }

  async #more() {
    [this.#cursor, this.#countBefore] = [this.#next, this.#events.length];
    await this.#tried(() => this.load());
  }

  async #showState({ version }) {
    await this.#tried(async () => {
      const path = `/v1/recordings/${this.#id}?version=${version}`;
      this.#states.set(version, await this.#app.api.get(path, { signal: this.#signal }));
    });
    this.#app.announce(`How it stood after event ${version} is shown.`);
  }

  async #tried(work) {
    this.#problem = null;
    try {
      await work();
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#problem = error.message;
    }
    this.#draw();
  }

  #draw() {
    const event = document.activeElement?.closest(".event");
    keepingFocus(
      () => render(this.#template(), this.element),
      () => event?.querySelector("summary") ?? this.element.querySelector("h2"),
    );
  }

  #template() {
    return html`
      <h2 id="history" tabindex="-1">History</h2>
      ${problem(this.#problem)}
      <ol class="timeline">${this.#events.map((event) => this.#event(event))}</ol>
      ${this.#next ? html`<button @click=${() => this.#more()}>Show later events</button>` : nothing}
    `;
  }

  #event(event) {
    const fact = ([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`;
    return html`
      <li class="event" data-type=${event.type}>
        <details>
          <summary><span class="what">${sentence(event)}</span> <time datetime=${event.at}>${TIME.format(new Date(event.at))}</time></summary>
          <dl class="facts-of">
            ${fact(["event", `${event.version}, ${event.type}`])}
            ${facts(event).map(fact)}
            ${event.trace_id ? fact(["trace id", event.trace_id]) : nothing}
          </dl>
          ${this.#state(event)}
        </details>
      </li>
    `;
  }

  #state(event) {
    const then = this.#states.get(event.version);
    if (!then) return html`<button @click=${() => this.#showState(event)}>Show how it stood then</button>`;
    const told = [
      ["state", state(then.status).word],
      ["length", duration(then.duration_ms)],
      ["size", bytes(then.file_size_bytes)],
      ["transcription", then.transcription_status],
      ["failure", then.failure?.message],
      ["damage", (then.damage ?? []).map((one) => one.message).join(" ")],
    ].filter(([, text]) => text);
    return html`
      <div class="then">
        <h3>How it stood then</h3>
        <dl class="facts-of">${told.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
      </div>
    `;
  }
}

/** The note of a recording, each sentence linked to where it was said, and the summaries that were written of it. */

import { ApiError } from "../../api.js";
import { duration, time } from "../../format.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";

/** The APIs whose recordings have a note. Of others there is none to ask for. */
const WITH_NOTES = new Set(["dorsum"]);
const NAMES = {
  tmpl_general_notes: "General notes",
  tmpl_sales_call: "Sales call",
  tmpl_clinical_soap: "Clinical note",
  tmpl_legal_memo: "Legal memo",
};

export class Note {
  #app;
  #onCited;
  #signal;
  #note = null;
  #summaries = [];
  #refusal = null;

  /** `onCited(start, end)`: somebody wants to hear what was said between these seconds. */
  constructor(app, signal, { onCited }) {
    this.#app = app;
    this.#signal = signal;
    this.#onCited = onCited;
  }

  get isEmpty() {
    return this.#note === null && this.#summaries.length === 0 && this.#refusal === null;
  }

  /** Throws ApiError, unless the key may not read them. */
  async load(recording) {
    const { id, transcription_id: transcription } = recording;
    if (this.#refusal) return;
    try {
      const asked = { signal: this.#signal };
      this.#note = this.#hasNote(recording) ? await this.#noteOf(id) : null;
      const isDone = recording.transcription_status === "completed";
      const page = isDone ? await this.#app.api.get(`/v1/summaries?transcription_id=${transcription}&limit=100`, asked) : null;
      this.#summaries = page?.data ?? [];
    } catch (error) {
      if (!error.isForbidden) throw error;
      this.#refusal = error.message;
    }
  }

  template() {
    return html`
      <section class="written" aria-labelledby="note">
        <h2 id="note">${this.#note || this.#refusal ? "Note" : "Summaries"}</h2>
        ${this.#refusal ? html`<p>${this.#refusal}</p>` : nothing}
        ${this.#note ? this.#noteTemplate(this.#note) : nothing}
        ${this.#summaries.map((summary) => this.#summaryTemplate(summary))}
      </section>
    `;
  }

  #hasNote({ dialect, status }) {
    return WITH_NOTES.has(dialect) && status === "completed";
  }

  /** Null if none was written. */
  async #noteOf(id) {
    try {
      return await this.#app.api.get(`/v1/recordings/${id}/note`, { signal: this.#signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return null;
      throw error;
    }
  }

  #noteTemplate({ draft, engine, author, at, sections }) {
    const by = draft ? `A draft by ${engine}, to be reviewed.` : `Corrected by ${author}, ${time(at)}.`;
    return html`
      <p class="remark">${by}</p>
      ${Object.entries(sections).map(([name, sentences]) => html`
        <h3>${worded(name)}</h3>
        ${sentences.length ? html`<ul>${sentences.map((one) => this.#sentence(one))}</ul>` : html`<p class="remark">Nothing.</p>`}
      `)}
    `;
  }

  #sentence({ text, source, further_sources: further = [] }) {
    const link = ({ start, end }) => html`
      <button class="cite" aria-label="Hear where it was said, at ${duration(1000 * start)}"
        @click=${() => this.#onCited(start, end)}>${duration(1000 * start)}</button>`;
    return html`<li>${text} ${source ? [source, ...further].map(link) : html`<span class="remark">not from the transcript</span>`}</li>`;
  }

  #summaryTemplate(summary) {
    const name = NAMES[summary.template_id] ?? summary.template_id ?? summary.custom_prompt;
    return html`
      <details class="summary">
        <summary>${name} <span class="remark">${time(summary.created_at)}</span></summary>
        ${summary.about ? html`<p class="remark">${summary.about}</p>` : nothing}
        ${summary.output ? Object.entries(summary.output).map(([key, value]) => said(key, value)) : html`<p>${summary.error_message ?? "It is being written."}</p>`}
      </details>
    `;
  }
}

function said(key, value) {
  if (value === null || (Array.isArray(value) && value.length === 0)) return nothing;
  return html`
    <h3>${worded(key)}</h3>
    ${Array.isArray(value) ? html`<ul>${value.map((one) => html`<li>${one}</li>`)}</ul>` : html`<p>${value}</p>`}
  `;
}

function worded(name) {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
}

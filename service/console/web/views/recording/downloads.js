/** Saves a recording's audio, by its signed URL, and its transcript, which is fetched with the key. */

import { problem } from "../../parts.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";

const FORMS = [["txt", "Text"], ["srt", "Subtitles (SRT)"], ["vtt", "Subtitles (WebVTT)"], ["json", "JSON"]];

export class Downloads {
  #app;
  #player;
  #problem = null;

  constructor(app, player) {
    this.#app = app;
    this.#player = player;
  }

  template(recording) {
    const hasWords = recording.transcription_status === "completed";
    if (!hasWords && !this.#player.isReady) return nothing;
    const saveAs = ([form, name]) =>
      html`<button @click=${() => this.#try(() => this.#saveTranscript(recording, form))}>${name}</button>`;
    return html`
      <section aria-labelledby="downloads">
        <h2 id="downloads">Downloads</h2>
        <p class="buttons">
          ${this.#player.isReady ? html`<button @click=${() => this.#try(() => this.#saveAudio())}>Audio</button>` : nothing}
          ${hasWords ? FORMS.map(saveAs) : nothing}
        </p>
        ${problem(this.#problem)}
      </section>
    `;
  }

  async #saveAudio() {
    save(await this.#player.freshUrl(), "");
  }

  async #saveTranscript({ id, transcription_id: transcription }, form) {
    const answer = await this.#app.api.request("GET", `/v1/transcriptions/${transcription}?format=${form}`);
    saveBlob(await answer.blob(), `${id}.${form}`);
  }

  async #try(saving) {
    this.#problem = null;
    try {
      await saving();
    } catch (error) {
      this.#problem = error.message;
    }
    this.#app.update();
  }
}

/** Have the browser save what it holds under a name. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  save(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after this call
}

/** `name`: empty for the one that the service gives. */
function save(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

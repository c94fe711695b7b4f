/** Why a recording failed, or which of its chunks could not be used, and what helps: hear, replace, try again. */

import { ApiError, here, reached } from "../../api.js";
import { bytes } from "../../format.js";
import { problem } from "../../parts.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { saveBlob } from "./downloads.js";
import { isWithoutLoudspeaker } from "./loudspeaker.js";

export class Mending {
  #app;
  #id;
  #signal;
  #chunks = null;
  #refusal = null;
  #isWorking = null;
  #replaced = new Set();
  #sounds = new Map();
  #unplayable = new Set();
  #problem = null;
  #showsAll = false;

  constructor(app, id, signal) {
    this.#app = app;
    this.#id = id;
    this.#signal = signal;
  }

  /** Throws ApiError, unless the key may not see the chunks. */
  async load(recording) {
    if (!isToMend(recording)) {
      this.stop();
      [this.#chunks, this.#problem] = [null, null];
      this.#replaced.clear();
      return;
    }
    try {
      this.#chunks = await this.#app.api.get(`/v1/recordings/${this.#id}/chunks`, { signal: this.#signal });
      this.#refusal = null;
    } catch (error) {
      if (!error.isForbidden) throw error;
      this.#refusal = error.message;
    }
  }

  stop() {
    for (const url of this.#sounds.values()) URL.revokeObjectURL(url);
    this.#sounds.clear();
    this.#unplayable.clear();
  }

  template(recording) {
    if (!isToMend(recording)) return nothing;
    const { failure, damage = [] } = recording;
    return html`
      <section class="mending" aria-labelledby="mending">
        <h2 id="mending">${failure ? "Why it failed" : "Damaged chunks"}</h2>
        ${failure ? html`<p class="because">${failure.message}</p>` : html`<p class="because">The recording was made without ${damage.length === 1 ? "one chunk" : `${damage.length} chunks`}, or without parts of them.</p>`}
        ${problem(this.#problem)}
        ${this.#refusal ? html`<p>${this.#refusal}</p>` : this.#chunks ? this.#list(recording) : nothing}
        ${this.#replaced.size ? html`<p role="status">Replaced: ${[...this.#replaced].sort((a, b) => a - b).map((number) => (this.#isFile ? "the file" : `chunk ${number}`)).join(", ")}. Now try again, to have audio and transcript made anew.</p>` : nothing}
        ${failure?.stage === "upload" ? nothing : this.#mayWrite ? html`
          <button class="main" ?disabled=${this.#isWorking !== null} @click=${() => this.#retry()}>Try again</button>` : html`
          <p>A key with recordings:write can replace chunks and try again.</p>`}
      </section>
    `;
  }

  #list(recording) {
    const chunks = this.#chunks.data;
    const wrong = chunks.filter((chunk) => chunk.damage || chunk.looks_like || this.#replaced.has(chunk.number));
    const shown = this.#showsAll || wrong.length === 0 ? chunks : wrong;
    return html`
      <ul class="chunks">${repeat(shown, (chunk) => chunk.number, (chunk) => this.#chunk(chunk, recording))}</ul>
      ${shown.length < chunks.length ? html`<p><button @click=${() => this.#all()}>Show all ${chunks.length} chunks</button></p>` : nothing}
    `;
  }

  #chunk(chunk, recording) {
    const { number, damage, looks_like: looks } = chunk;
    const wrong = damage?.message ?? (looks ? `It looks like ${looks}.` : "");
    const isWorking = this.#isWorking === number;
    const name = this.#isFile ? "File" : `Chunk ${number}`;
    return html`
      <li data-wrong=${wrong ? "yes" : nothing}>
        <p><strong>${name}</strong> <span class="remark">${bytes(chunk.size_bytes)}</span> ${wrong}</p>
        <p class="buttons">
          <button aria-label="Hear ${name.toLowerCase()}" @click=${() => this.#hear(number, recording)}>Hear</button>
          <button aria-label="Save ${name.toLowerCase()}" @click=${() => this.#save(number)}>Save</button>
          ${this.#canReplace(recording) ? html`
            <button aria-label="Replace ${name.toLowerCase()}" ?disabled=${this.#isWorking !== null} @click=${choose}>${isWorking ? "Sending…" : "Replace…"}</button>
            <input type="file" hidden aria-label="Other bytes for ${name.toLowerCase()}" @change=${(event) => this.#replace(number, event)}>` : nothing}
        </p>
        ${this.#sound(number)}
      </li>
    `;
  }

  #sound(number) {
    if (this.#unplayable.has(number)) {
      return html`<p class="remark" role="status">This browser cannot play it by itself. Save it to look into it.</p>`;
    }
    const url = this.#sounds.get(number);
    return url ? html`<audio controls autoplay aria-label="Chunk ${number}" src=${url} @error=${(event) => this.#cannotPlay(number, event.target)}></audio>` : nothing;
  }

  get #isFile() {
    return this.#chunks.chunk_upload_url_template === null && this.#chunks.data.length === 1;
  }

  get #mayWrite() {
    return this.#app.allows("recordings:write");
  }

  #canReplace({ failure }) {
    if (!this.#mayWrite) return false;
    return this.#chunks.chunk_upload_url_template !== null || (this.#isFile && failure?.stage === "stitch");
  }

  #all() {
    this.#showsAll = true;
    this.#app.update();
  }

  #cannotPlay(number, audio) {
    if (isWithoutLoudspeaker(audio)) return;
    this.#unplayable.add(number);
    this.#app.update();
  }

  #hear(number, recording) {
    return this.#tried(null, async () => {
      const bytesOf = await this.#bytes(number);
      if (this.#sounds.has(number)) URL.revokeObjectURL(this.#sounds.get(number));
      this.#unplayable.delete(number);
      this.#sounds.set(number, URL.createObjectURL(new Blob([bytesOf], { type: recording.mime_type ?? "" })));
    });
  }

  #save(number) {
    return this.#tried(null, async () => saveBlob(await this.#bytes(number), `${this.#id}.chunk-${number}`));
  }

  async #bytes(number) {
    const answer = await this.#app.api.request("GET", `/v1/recordings/${this.#id}/chunks/${number}`, { signal: this.#signal });
    return answer.blob();
  }

  #replace(number, event) {
    const file = event.target.files[0];
    event.target.value = "";
    if (!file) return;
    this.#tried(number, async () => {
      if (this.#isFile) await this.#sendFile(file);
      else await put(here(this.#chunks.chunk_upload_url_template.replace("{part}", number)), file, {}, this.#signal);
      this.#replaced.add(number);
      if (this.#sounds.has(number)) URL.revokeObjectURL(this.#sounds.get(number));
      this.#sounds.delete(number);
      this.#unplayable.delete(number);
    });
  }

  async #sendFile(file) {
    const path = `/v1/recordings/${this.#id}`;
    const asked = { file_size_bytes: file.size, ...(file.type ? { content_type: file.type } : {}) };
    const { upload_url: url, headers } = await this.#app.api.send("POST", `${path}/upload-url`, asked, { signal: this.#signal });
    await put(here(url), file, headers, this.#signal);
    await this.#app.api.send("POST", `${path}/upload-complete`, {}, { signal: this.#signal });
  }

  #retry() {
    return this.#tried("retry", () => this.#app.api.send("POST", `/v1/recordings/${this.#id}/retry`, undefined, { signal: this.#signal }));
  }

  async #tried(what, work) {
    [this.#problem, this.#isWorking] = [null, what];
    this.#app.update();
    try {
      await work();
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#problem = error.message;
    }
    this.#isWorking = null;
    this.#app.update();
  }
}

function isToMend({ failure, damage = [] }) {
  return failure !== null || damage.length > 0;
}

function choose(event) {
  event.currentTarget.nextElementSibling.click();
}

/** Send bytes to a signed URL, which needs no key. Throws ApiError. */
async function put(url, body, headers, signal) {
  const answer = await reached(fetch(url, { method: "PUT", body, headers, signal }));
  if (!answer.ok) throw await ApiError.of(answer);
}

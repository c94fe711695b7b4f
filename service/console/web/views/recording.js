/** One recording: how it stands, from second to second, and all that can be heard, read and done about it. */

import { ApiError, pause } from "../api.js";
import { bytes, duration, nameOf, state, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Downloads } from "./recording/downloads.js";
import { Player } from "./recording/player.js";
import { progressText, shareDone } from "./recording/progress.js";
import { Transcript } from "./recording/transcript.js";

const ENDED = new Set(["completed", "failed", "integrity_failure"]);
/** Where the live stream has ended or may not be read: until its note is written, or whatever else is left to be done. */
const ASK_AGAIN_MS = 2000;

export class RecordingView {
  title = "Recording";
  #app;
  #id;
  #ended = new AbortController();
  #recording = null;
  #problem = null;
  #isLost = false;
  #isDeleted = false;
  #isMuted = null;
  #progress = null;
  #reloads = 0;
  #shownTranscript = null;
  #player;
  #transcript;
  #downloads;

  constructor(app, { id }) {
    this.#app = app;
    this.#id = id;
    this.#transcript = new Transcript({ onPlay: (seconds) => this.#player.playFrom(seconds) });
    this.#player = new Player(app, id, { onTime: (seconds) => this.#transcript.mark(seconds) });
    this.#downloads = new Downloads(app, this.#player);
  }

  start() {
    this.#watch();
  }

  stop() {
    this.#ended.abort();
    this.#player.stop();
  }

  template() {
    if (this.#isDeleted) return html`<p>This recording was deleted. <a href="/console">All recordings</a></p>`;
    const one = this.#recording;
    if (one === null) return this.#problem ? problem(this.#problem) : html`<p>Loading…</p>`;
    return html`
      ${this.#facts(one)}
      ${problem(this.#problem)}
      ${this.#isLost ? html`<p class="lost" role="status">The connection is lost; this page shows how it stood. It is taken up again by itself.</p>` : nothing}
      ${this.#work()}
      ${this.#player.element}
      <section aria-labelledby="transcript">
        <h2 id="transcript">Transcript</h2>
        ${this.#words(one)}
      </section>
      ${this.#downloads.template(one)}
    `;
  }

  #facts(one) {
    const made = one.recorded_at ?? one.created_at;
    return html`
      <p class="facts">
        ${stateBadge(one.status)}
        ${[duration(one.duration_ms), bytes(one.file_size_bytes), time(made)].filter(Boolean).map((fact) => html`<span>${fact}</span>`)}
        <code>${one.id}</code>
      </p>
    `;
  }

  #work() {
    if (this.#progress === null || ENDED.has(this.#recording.status)) return nothing;
    const [text, share] = [progressText(this.#progress), shareDone(this.#progress)];
    return html`
      <div class="work">
        ${share === null ? nothing : html`<progress aria-label="Recognized" max="1" value=${share}></progress>`}
        <p>${text}</p>
      </div>
    `;
  }

  #words(one) {
    if (this.#isMuted) return html`<p>${this.#isMuted}</p>`;
    if (this.#transcript.isEmpty) {
      const isOver = one.transcription_status === "completed" && this.#shownTranscript !== null;
      return html`<p>${isOver ? "No words were recognized." : ENDED.has(one.status) ? "There is none." : "No words are recognized yet."}</p>`;
    }
    const canPlay = this.#player.isReady && this.#shownTranscript !== null;
    return html`
      ${canPlay ? html`<p class="hint">Click a word to hear it. By keyboard: the arrow keys go from word to word, Enter plays.</p>` : nothing}
      ${this.#transcript.element}
    `;
  }

  /** Follow the recording until nothing more happens to it by itself. */
  async #watch() {
    const { signal } = this.#ended;
    try {
      await this.#reload();
      if (!ENDED.has(this.#recording.status)) await this.#listen();
      while (!signal.aborted && !this.#isDeleted && !ENDED.has(this.#recording.status)) {
        await pause(ASK_AGAIN_MS, signal);
        await this.#reloadIfReached();
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** Take what the live stream tells, until it has told the end. Throws ApiError, unless the key may not listen. */
  async #listen() {
    const path = `/v1/recordings/${this.#id}/live`;
    try {
      await this.#app.api.follow(path, {
        signal: this.#ended.signal,
        onEvent: ({ event, data }) => this.#heard(event, JSON.parse(data)),
        onLost: (isLost) => this.#lose(isLost),
      });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      this.#isMuted = error.message;
    }
    if (!this.#isDeleted) await this.#reload();
  }

  /** Whether that was the end. */
  #heard(event, told) {
    switch (event) {
      case "segment":
        this.#transcript.say(told);
        break;
      case "withdrawn":
        this.#transcript.withdraw(told.from_index);
        break;
      case "progress":
        if (told.status !== this.#recording.status) this.#reload().catch((error) => this.#fail(error));
        this.#progress = told;
        break;
      case "deleted":
        this.#isDeleted = true;
    }
    this.#app.update();
    return ["transcript", "failed", "deleted"].includes(event);
  }

  async #reloadIfReached() {
    try {
      await this.#reload();
      this.#lose(false);
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status < 500)) throw error;
      this.#lose(true);
    }
  }

  /** Everything as it is now. Throws ApiError. */
  async #reload() {
    const before = this.#recording;
    this.#reloads += 1;
    const reload = this.#reloads;
    const now = await this.#app.api.get(`/v1/recordings/${this.#id}`, { signal: this.#ended.signal });
    if (reload !== this.#reloads) return; // one that began later knows more
    this.#recording = now;
    this.title = nameOf(now);
    document.title = `${this.title} – tapedeck`;
    if (before && before.status !== now.status) this.#app.announce(`This recording is ${state(now.status).word}.`);
    this.#app.update();
    await Promise.all([this.#player.offer(now), this.#loadWords(now)]);
    this.#app.update();
  }

  async #loadWords(recording) {
    const { transcription_id: its_id, transcription_status: status, content_sha256: content } = recording;
    if (status !== "completed") this.#shownTranscript = null;
    if (status !== "completed" || content === this.#shownTranscript) return;
    try {
      const { segments } = await this.#app.api.get(`/v1/transcriptions/${its_id}?format=json`, { signal: this.#ended.signal });
      this.#shownTranscript = content;
      await this.#transcript.show(segments);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      this.#isMuted = error.message;
    }
  }

  #lose(isLost) {
    if (isLost === this.#isLost) return;
    this.#isLost = isLost;
    this.#app.update();
  }

  #fail(error) {
    if (this.#ended.signal.aborted) return;
    this.#problem = error.message;
    this.#app.update();
  }
}

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
const READ_EVERY_MS = 300;

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
  #isToReload = false;
  #isListening = false;
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

  /** Read it once nothing can be missed any more, and anew whenever something has happened to it. */
  async #watch() {
    try {
      await this.#app.api.follow(`/v1/events?recording_id=${this.#id}`, {
        signal: this.#ended.signal,
        onLost: (isLost) => {
          this.#lose(isLost);
          if (!isLost) this.#tried(() => this.#reload());
        },
        onEvent: () => this.#reloadSoon(),
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  async #reloadSoon() {
    if (this.#isToReload) return;
    this.#isToReload = true;
    await pause(READ_EVERY_MS, this.#ended.signal);
    this.#isToReload = false;
    if (!this.#ended.signal.aborted) await this.#tried(() => this.#reload());
  }

  /** Take what the live stream tells, until it has told the end. Throws ApiError, unless the key may not listen. */
  async #listen() {
    if (this.#isListening || this.#isMuted) return;
    this.#isListening = true;
    try {
      await this.#app.api.follow(`/v1/recordings/${this.#id}/live`, {
        signal: this.#ended.signal,
        onEvent: ({ event, data }) => this.#heard(event, JSON.parse(data)),
      });
    } catch (error) {
      if (!isForbidden(error)) throw error;
      this.#isMuted = error.message;
    }
    this.#isListening = false;
    this.#reloadSoon();
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
        this.#progress = told;
    }
    this.#app.update();
    return ["transcript", "failed", "deleted"].includes(event);
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
    if (now.transcription_status !== "completed" && !ENDED.has(now.status)) this.#tried(() => this.#listen());
    await Promise.all([this.#player.offer(now), this.#loadWords(now)]);
    this.#problem = null;
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
      if (!isForbidden(error)) throw error;
      this.#isMuted = error.message;
    }
  }

  async #tried(work) {
    try {
      await work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #lose(isLost) {
    if (isLost === this.#isLost) return;
    this.#isLost = isLost;
    this.#app.update();
  }

  #fail(error) {
    if (this.#ended.signal.aborted) return;
    if (error.status === 404 && this.#recording) this.#isDeleted = true;
    this.#problem = error.message;
    this.#app.update();
  }
}

/** Whether a key is refused a part for want of a scope. */
function isForbidden(error) {
  return error instanceof ApiError && error.status === 403;
}

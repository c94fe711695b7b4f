/** One recording: how it stands, from second to second, and all that can be heard, read and done about it. */

import { pause } from "../api.js";
import { bytes, duration, nameOf, state, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { Deletion } from "./recording/deletion.js";
import { Downloads } from "./recording/downloads.js";
import { History } from "./recording/history.js";
import { Mending } from "./recording/mending.js";
import { Note } from "./recording/note.js";
import { Player } from "./recording/player.js";
import { progressText, shareDone } from "./recording/progress.js";
import { Transcript } from "./recording/transcript.js";
import { Waveform } from "./recording/waveform.js";

const ENDED = new Set(["completed", "failed", "integrity_failure"]);
const READ_EVERY_MS = 300;
const TRY_AGAIN_MS = 2000;

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
  #streams = new AbortController();
  #heardLast = null;
  #startAt = null;
  #shownTranscript = null;
  #player;
  #transcript;
  #downloads;
  #waveform;
  #note;
  #mending;
  #history;
  #deletion;

  constructor(app, { id }) {
    this.#app = app;
    this.#id = id;
    this.#transcript = new Transcript({ onPlay: (seconds) => this.#player.playFrom(seconds) });
    this.#player = new Player(app, id, { onTime: (seconds) => this.#isAt(seconds) });
    this.#downloads = new Downloads(app, this.#player);
    const { signal } = this.#ended;
    this.#waveform = new Waveform(signal, { onSeek: (seconds) => this.#player.goTo(seconds) });
    this.#note = new Note(app, signal, { onCited: (start, end) => this.#cite(start, end) });
    this.#mending = new Mending(app, id, signal);
    this.#history = new History(app, id, signal);
    this.#deletion = new Deletion(app, id);
  }

  start() {
    const at = new URLSearchParams(location.search).get("at");
    if (/^\d+$/.test(at ?? "")) this.#startAt = Number(at) / 1000;
    document.addEventListener("visibilitychange", () => this.#seenOrNot(), { signal: this.#ended.signal });
    this.#watch();
  }

  stop() {
    this.#ended.abort();
    this.#streams.abort();
    this.#player.stop();
    this.#mending.stop();
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
      ${this.#mending.template(one)}
      ${this.#player.element}
      ${this.#waveform.element}
      <div class=${this.#note.isEmpty ? "" : "beside"}>
        <section aria-labelledby="transcript">
          <h2 id="transcript">Transcript</h2>
          ${this.#words(one)}
        </section>
        ${this.#note.isEmpty ? nothing : this.#note.template()}
      </div>
      ${this.#downloads.template(one)}
      ${this.#history.element}
      ${this.#deletion.template(one)}
    `;
  }

  #facts(one) {
    const made = one.recorded_at ?? one.created_at;
    return html`
      <p class="standing">
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
      const none = this.#shownTranscript !== null ? "No words were recognized." : this.#problem ? nothing : "Loading…";
      return html`<p>${one.transcription_status === "completed" ? none : ENDED.has(one.status) ? "There is none." : "No words are recognized yet."}</p>`;
    }
    const canPlay = this.#player.isReady && this.#shownTranscript !== null;
    return html`
      ${canPlay ? html`<p class="remark">Click a word to hear it. By keyboard: the arrow keys go from word to word, Enter plays.</p>` : nothing}
      ${this.#transcript.element}
    `;
  }

  /** A tab that nobody sees holds no connection: browsers have few of them for all tabs together. */
  #seenOrNot() {
    if (document.hidden) this.#streams.abort();
    else if (this.#streams.signal.aborted) {
      this.#streams = new AbortController();
      this.#watch();
    }
  }

  /** Read it once nothing can be missed any more, and anew whenever something has happened to it. */
  async #watch() {
    try {
      await this.#ofItself(this.#app.api.follow(`/v1/events?recording_id=${this.#id}`, {
        signal: this.#streams.signal,
        onLost: (isLost) => {
          this.#lose(isLost);
          if (!isLost) this.#tried(() => this.#reload());
        },
        onEvent: () => this.#reloadSoon(),
      }));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #reloadSoon(wait = READ_EVERY_MS) {
    if (this.#isToReload) return;
    this.#isToReload = true;
    await pause(wait, this.#streams.signal);
    this.#isToReload = false;
    if (!this.#streams.signal.aborted) await this.#tried(() => this.#reload());
  }

  /** Take what the live stream tells, until it has told the end. Throws ApiError, unless the key may not listen. */
  async #listen() {
    const { signal } = this.#streams;
    if (this.#isListening || this.#isMuted || signal.aborted) return;
    this.#isListening = true;
    try {
      await this.#app.api.follow(`/v1/recordings/${this.#id}/live`, {
        signal,
        lastEventId: this.#heardLast,
        onEvent: ({ id, event, data }) => this.#heard(id, event, JSON.parse(data)),
      });
    } catch (error) {
      this.#heardLast = null; // it may be of another state of the service's data
      if (!error.isForbidden) throw error;
      this.#isMuted = error.message;
    } finally {
      this.#isListening = false;
    }
    this.#reloadSoon();
  }

  /** Whether that was the end. */
  #heard(id, event, told) {
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
    const isOver = ["transcript", "failed", "deleted"].includes(event);
    this.#heardLast = isOver ? null : (id ?? this.#heardLast);
    return isOver;
  }

  /** Everything as it is now. Throws ApiError. */
  async #reload() {
    const before = this.#recording;
    const reload = (this.#reloads += 1);
    const now = await this.#ofItself(this.#app.api.get(`/v1/recordings/${this.#id}`, { signal: this.#ended.signal }));
    if (reload !== this.#reloads) return; // one that began later knows more
    this.#recording = now;
    this.title = nameOf(now);
    if (before && before.status !== now.status) this.#app.announce(`This recording is ${state(now.status).word}.`);
    this.#app.update();
    if (now.transcription_status !== "completed" && !ENDED.has(now.status)) this.#tried(() => this.#listen());
    this.#problem = null;
    const parts = [
      () => this.#loadAudio(now),
      () => this.#loadWords(now),
      () => this.#note.load(now),
      () => this.#mending.load(now),
      () => this.#history.load(),
    ];
    await Promise.all(parts.map((load) => this.#tried(load)));
    this.#app.update();
    if (this.#startAt !== null && this.#shownTranscript !== null) this.#goToStart();
  }

  /** Where the address says, in milliseconds, such as a search's result does. */
  #goToStart() {
    this.#player.goTo(this.#startAt);
    this.#transcript.mark(this.#startAt);
    this.#startAt = null;
  }

  async #loadAudio(recording) {
    await this.#player.offer(recording);
    this.#app.update();
    await this.#waveform.show(this.#player.url, recording);
  }

  async #loadWords(recording) {
    const { transcription_id: its_id, transcription_status: status, updated_at: asOf } = recording;
    if (status !== "completed") this.#shownTranscript = null;
    if (status !== "completed" || asOf === this.#shownTranscript) return;
    try {
      const { segments } = await this.#app.api.get(`/v1/transcriptions/${its_id}?format=json`, { signal: this.#ended.signal });
      this.#shownTranscript = asOf;
      await this.#transcript.show(segments);
    } catch (error) {
      if (!error.isForbidden) throw error;
      this.#isMuted = error.message;
    }
  }

  async #tried(work) {
    try {
      await work();
    } catch (error) {
      this.#fail(error);
      if (error.isPassing) this.#reloadSoon(TRY_AGAIN_MS);
    }
  }

  #isAt(seconds) {
    this.#transcript.mark(seconds);
    this.#waveform.mark(seconds);
  }

  #cite(start, end) {
    this.#player.playFrom(start);
    this.#transcript.cite(start, end);
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

  /** An answer about the recording itself: a 404 of the service's own, which has a type, says that it was deleted. */
  async #ofItself(answer) {
    try {
      return await answer;
    } catch (error) {
      this.#isDeleted ||= error.status === 404 && error.type !== "unknown" && this.#recording !== null;
      if (this.#isDeleted) this.#player.stop();
      throw error;
    }
  }
}

/** Record with the microphone, upload files, and see that everything arrives. */

import { bytes, duration } from "../format.js";
import { problem } from "../parts.js";
import { deskOf } from "../recorder/desk.js";
import { microphones } from "../recorder/microphone.js";
import { html, nothing, svg } from "../vendor/lit-html/lit-html.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { listenedCard, part, uploadCard } from "./record_parts.js";

const METER_BARS = 48;
const METER_MS = 80;
const QUIET = "Nothing is heard. Is it the right microphone, and is it on?";
const NOT_TOLD = "This browser does not tell how loud it is; listen to it afterwards.";

export class RecordView {
  title = "Record";
  #app;
  #desk;
  #devices = [];
  #device = null;
  #levels = new Array(METER_BARS).fill(0);
  #metering;
  #isOver = false;
  #saidHeight = 0;
  #wasRecording = false;
  #ended = new AbortController();

  constructor(app) {
    this.#app = app;
    this.#desk = deskOf(app);
  }

  start() {
    this.#desk.isShown = true;
    this.#metering = setInterval(() => this.#meter(), METER_MS);
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#findDevices(), { signal: this.#ended.signal });
    this.#findDevices();
  }

  stop() {
    this.#desk.isShown = false;
    this.#ended.abort();
    clearInterval(this.#metering);
  }

  template() {
    const { session, uploads, listener } = this.#desk;
    const others = uploads.filter((upload) => upload !== session?.upload);
    const card = (upload) => uploadCard(upload, this.#actions(upload));
    const isEmpty = uploads.some((one) => one.state === "empty" && one.entry.recordingId === listener?.recordingId);
    return html`
      ${problem(this.#desk.problems.text)}
      <div class="record">
        <section class="card" aria-label="Recorder">${session ? this.#recording(session) : this.#ready()}</section>
        ${this.#dropZone()}
      </div>
      ${listener && listener.isAllowed && !isEmpty ? listenedCard(listener) : nothing}
      ${others.length ? html`<h2>From this browser</h2>` : nothing}
      <ul class="uploads" ?data-restored=${this.#desk.isRestored}>${repeat(others, (one) => one.entry.key, card)}</ul>
    `;
  }

  #ready() {
    return html`
      <form @submit=${(event) => this.#record(event)}>
        <label for="microphone">Microphone</label>
        <select id="microphone" @change=${(event) => (this.#device = event.target.value || null)}>
          <option value="">The browser's choice</option>
          ${this.#devices.map((one) => html`<option value=${one.id} ?selected=${one.id === this.#device}>${one.name}</option>`)}
        </select>
        <label for="name">Name <span class="optional">(optional)</span></label>
        <input id="name" name="name" maxlength="500" autocomplete="off">
        <button class="main record-button" ?disabled=${this.#desk.isStarting}><span aria-hidden="true">●</span> Record</button>
      </form>
    `;
  }

  #recording(session) {
    const { upload } = session;
    const { stored, waiting } = upload;
    return html`
      <p class="on-air-state">
        <span class="dot" data-paused=${session.isPaused} aria-hidden="true">●</span>
        ${session.isFinishing ? "Finishing" : session.isPaused ? "Paused" : "Recording"}
        <span class="clock" role="timer">${duration(session.milliseconds)}</span>
      </p>
      ${this.#bars()}
      ${session.isQuiet ? html`<p class="hint">${session.level === null ? NOT_TOLD : QUIET}</p>` : nothing}
      <div class="buttons">
        <button @click=${() => this.#pauseOrGoOn(session)}>${session.isPaused ? "Go on" : "Pause"}</button>
        <button class="main finish" ?disabled=${session.isFinishing} @click=${() => this.#finish(session)}>Finish</button>
      </div>
      <dl class="whereabouts">
        <div><dt>On the server</dt><dd>${duration(stored.milliseconds)} · ${bytes(stored.bytes)}</dd></div>
        <div><dt>Waits in this browser</dt><dd>${duration(waiting.milliseconds)} · ${bytes(waiting.bytes)}</dd></div>
      </dl>
      ${upload.problem ? html`<p class="hint" role="status">${upload.problem}</p>` : nothing}
      ${upload.hasRoom ? nothing : noRoom()}
    `;
  }

  #bars() {
    const bar = (_, index) => svg`<rect x=${index * 5} width="3" rx="1.5" y="19" height="2"></rect>`;
    return html`<svg class="meter" viewBox="0 0 ${METER_BARS * 5 - 2} 40" preserveAspectRatio="none" aria-hidden="true">
      ${this.#levels.map(bar)}
    </svg>`;
  }

  #dropZone() {
    return html`
      <section class="card drop" aria-label="Files" data-over=${this.#isOver}
        @dragover=${(event) => this.#over(event, true)} @dragleave=${(event) => this.#over(event, false)}
        @drop=${(event) => this.#drop(event)}>
        <p>Drop audio files here, or choose some. Several are sent one after another; after a reload the rest follows.</p>
        <label class="button" for="files">Choose files</label>
        <input id="files" type="file" multiple accept="audio/*,video/*,.opus,.caf,.amr,.wma,.ape,.tta,.wv"
          @change=${(event) => this.#choose(event.target)}>
      </section>
    `;
  }

  #actions(upload) {
    const desk = this.#desk;
    return {
      goOn: desk.session ? null : () => desk.goOn(upload, this.#device).then(() => this.#findDevices()),
      finish: () => desk.finishLeft(upload),
      finishShort: () => this.#finishShort(upload),
      sendAnew: () => desk.sendAnew(upload),
      discard: () => this.#discard(upload),
    };
  }

  async #record(event) {
    event.preventDefault();
    const name = new FormData(event.target).get("name").trim();
    await this.#desk.record({ device: this.#device, name });
    if (this.#desk.session) this.#app.announce("Recording");
    this.#findDevices();
  }

  #pauseOrGoOn(session) {
    if (session.isPaused) session.resume();
    else session.pause();
    this.#app.announce(session.isPaused ? "Paused" : "Recording");
    this.#app.update();
  }

  #finish(session) {
    session.finish();
    this.#app.announce("Finished");
    this.#app.update();
  }

  #finishShort(upload) {
    if (confirm(`Finish ${nameOf(upload)}? ${restOf(upload)} It cannot be had back.`)) this.#desk.finishShort(upload);
  }

  #discard(upload) {
    const what = nameOf(upload);
    if (confirm(`Delete ${what}, here and on the server? It cannot be had back.`)) this.#desk.discard(upload);
  }

  #choose(input) {
    this.#desk.addFiles([...input.files]);
    input.value = "";
  }

  #over(event, isOver) {
    event.preventDefault();
    if (isOver === this.#isOver) return;
    this.#isOver = isOver;
    this.#app.update();
  }

  #drop(event) {
    this.#over(event, false);
    this.#desk.addFiles([...event.dataTransfer.files]);
  }

  /** The button that was pressed is gone: the next one that is pressed has the focus, unless something else has. */
  #keepFocus(isRecording) {
    const next = this.#app.root.querySelector(isRecording ? ".finish" : ".record-button");
    if (isRecording === this.#wasRecording || next === null) return; // or it is not drawn yet
    this.#wasRecording = isRecording;
    if (document.activeElement === document.body) next.focus();
  }

  /** Keep the newest words in sight, unless the person reads earlier ones. */
  #showNewestWords() {
    const said = this.#app.root.querySelector(".said");
    if (!said || said.scrollHeight === this.#saidHeight) return;
    const wasAtEnd = said.scrollTop + said.clientHeight >= this.#saidHeight - 2;
    this.#saidHeight = said.scrollHeight;
    if (wasAtEnd) said.scrollTop = said.scrollHeight;
  }

  /** Move the meter on by a bar; it is drawn without the rest of the page. */
  #meter() {
    const { session } = this.#desk;
    this.#showNewestWords();
    this.#keepFocus(session !== null);
    if (!session) return;
    this.#levels = [...this.#levels.slice(1), session.isPaused ? 0 : (session.level ?? 0)];
    this.#app.root.querySelectorAll(".meter rect").forEach((bar, index) => {
      const height = 2 + 38 * this.#levels[index] ** 2;
      bar.setAttribute("height", height.toFixed(1));
      bar.setAttribute("y", ((40 - height) / 2).toFixed(1));
    });
  }

  async #findDevices() {
    this.#devices = await microphones();
    if (!this.#devices.some((one) => one.id === this.#device)) this.#device = null;
    this.#app.update();
  }
}

function nameOf(upload) {
  return upload.entry.name || "this recording";
}

function restOf({ entry, stored, waiting }) {
  return `On the server it keeps ${part(entry, stored)}. The rest, ${part(entry, waiting)}, is left out and deleted here.`;
}

function noRoom() {
  return html`<p class="problem" role="alert">This browser has no room left: what is recorded from now on is safe only once it
    is on the server. Keep this tab open until all is sent.</p>`;
}

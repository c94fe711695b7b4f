/** Plays a recording's audio by its signed URL, which is renewed when it has expired. */

import { here } from "../../api.js";
import { duration } from "../../format.js";
import { problem } from "../../parts.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { isWithoutLoudspeaker } from "./loudspeaker.js";

const STEP_SECONDS = 5;
const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
/** Where the keys for play and the arrows mean something else. */
const HAS_KEYS_OF_ITS_OWN = "input, select, textarea, button, a, summary, audio, dialog *";

export class Player {
  element = document.createElement("div");
  #app;
  #id;
  #onTime;
  #audio = document.createElement("audio");
  #sha256 = null;
  #durationMs = null;
  #url = null;
  #goodUntil = 0;
  #problem = null;
  #ended = new AbortController();

  /** `onTime(seconds)`: where it is, at each frame while it plays, and after every jump. */
  constructor(app, id, { onTime }) {
    this.#app = app;
    this.#id = id;
    this.#onTime = onTime;
    this.element.className = "player";
    this.#audio.preload = "metadata";
    for (const name of ["loadedmetadata", "play", "pause"]) this.#audio.addEventListener(name, () => this.#draw());
    for (const name of ["timeupdate", "seeking", "ended"]) this.#audio.addEventListener(name, () => this.#moved());
    this.#audio.addEventListener("play", () => this.#tick());
    this.#audio.addEventListener("error", () => this.#failed());
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal: this.#ended.signal });
  }

  /** Where the audio is, on this page's origin; null as long as there is none. */
  get url() {
    return this.#url;
  }

  get isReady() {
    return this.#url !== null;
  }

  /** The URL that gives the audio now, on this page's origin. Throws ApiError. */
  async freshUrl() {
    const { download_url: url, expires_in: seconds } = await this.#app.api.get(
      `/v1/recordings/${this.#id}/download-url`,
      { signal: this.#ended.signal },
    );
    this.#goodUntil = Date.now() + 1000 * seconds;
    return here(url);
  }

  /** Take what a recording's audio is now. Throws ApiError; what is not made yet is no error. */
  async offer(recording) {
    const hasAudio = recording.media.some((one) => one.status === "uploaded") && recording.failure?.stage !== "stitch";
    const sha256 = hasAudio ? recording.content_sha256 : null;
    this.#durationMs = recording.duration_ms;
    if (sha256 === this.#sha256) return;
    this.#sha256 = sha256;
    this.#problem = null;
    this.#url = sha256 === null ? null : await this.#urlIfMade();
    if (this.#url) this.#audio.src = this.#url;
    else this.#audio.removeAttribute("src");
    this.#draw();
  }

  /** Null if the audio is being made anew at this moment. */
  async #urlIfMade() {
    try {
      return await this.freshUrl();
    } catch (error) {
      this.#sha256 = null;
      if (error.status === 409) return null;
      throw error;
    }
  }

  /** Go to a time, in seconds. */
  goTo(seconds) {
    if (this.isReady) this.#goTo(seconds);
  }

  /** Go to a time and play from there. */
  playFrom(seconds) {
    if (!this.isReady) return;
    this.#goTo(seconds);
    this.#play();
  }

  stop() {
    this.#ended.abort();
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
  }

  #draw() {
    if (!this.isReady) {
      render(nothing, this.element);
      return;
    }
    const [at, whole] = [this.#audio.currentTime, this.#seconds];
    const told = `${duration(1000 * at)} of ${duration(1000 * whole)}`;
    render(
      html`
        ${this.#audio}
        <button class="main" @click=${() => this.#toggle()}>${this.#audio.paused ? "Play" : "Pause"}</button>
        <input type="range" aria-label="Position" min="0" max=${whole} step="any" .value=${live(String(at))}
          aria-valuetext=${told} @input=${(event) => this.#goTo(event.target.valueAsNumber)}>
        <span class="time">${told}</span>
        <label class="speed">Speed
          <select @change=${(event) => this.#setSpeed(Number(event.target.value))}>
            ${SPEEDS.map((speed) => html`<option value=${speed} ?selected=${speed === 1}>${speed}×</option>`)}
          </select>
        </label>
        ${problem(this.#problem)}
      `,
      this.element,
    );
  }

  /** As long as the browser does not know how long it is, the service's own word. */
  get #seconds() {
    const known = this.#audio.duration;
    return Number.isFinite(known) ? known : (this.#durationMs ?? 0) / 1000;
  }

  #goTo(seconds) {
    this.#audio.currentTime = Math.max(0, Math.min(seconds, this.#seconds));
    this.#moved();
  }

  /** Also of what is loaded later: a new URL begins with the default. */
  #setSpeed(speed) {
    [this.#audio.defaultPlaybackRate, this.#audio.playbackRate] = [speed, speed];
  }

  #toggle() {
    if (this.#audio.paused) this.#play();
    else this.#audio.pause();
  }

  async #play() {
    try {
      if (this.#audio.error) await this.#renew();
      await this.#audio.play();
    } catch (error) {
      if (error.name === "AbortError") return; // paused before it began
      this.#tell(error.name === "NotSupportedError" ? "This browser cannot play the audio." : error.message);
    }
  }

  async #failed() {
    if (this.#ended.signal.aborted || !this.#audio.hasAttribute("src")) return;
    if (isWithoutLoudspeaker(this.#audio)) this.#tell("It plays without a sound: this browser finds no loudspeaker.");
    else if (this.#audio.error.code === MediaError.MEDIA_ERR_DECODE) this.#tell("This browser cannot play the audio.");
    else if (Date.now() >= this.#goodUntil) await this.#renew().catch((error) => this.#tell(error.message));
    else this.#tell("The audio could not be loaded; Play tries again.");
  }

  /** Go on with a new URL where the old one has ended. Throws ApiError. */
  async #renew() {
    const at = this.#audio.currentTime;
    this.#url = await this.freshUrl();
    this.#tell(null);
    this.#audio.src = this.#url;
    this.#audio.currentTime = at;
  }

  #moved() {
    this.#onTime(this.#audio.currentTime);
    this.#draw();
  }

  #tell(text) {
    this.#problem = text;
    this.#draw();
  }

  #tick() {
    if (this.#audio.paused) return;
    this.#onTime(this.#audio.currentTime);
    requestAnimationFrame(() => this.#tick());
  }

  /** Space plays and pauses, the arrows go back and forth, wherever on the page they mean nothing else. */
  #pressed(event) {
    const isElsewhere = event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    const isAtSlider = event.target.matches('.player input[type="range"]');
    if (!this.isReady || isElsewhere || (event.target.matches(HAS_KEYS_OF_ITS_OWN) && !isAtSlider)) return;
    if (event.key === " ") this.#toggle();
    else if (event.key === "ArrowRight") this.#goTo(this.#audio.currentTime + STEP_SECONDS);
    else if (event.key === "ArrowLeft") this.#goTo(this.#audio.currentTime - STEP_SECONDS);
    else return;
    event.preventDefault();
  }
}

/** A microphone recorded into an upload: from the click on Record to the one on Finish, or until the microphone is gone. */

/**
 * @import { Microphone } from "./microphone.js"
 * @import { Upload } from "./upload.js"
 */

const SPARE_MS = 3 * 60_000;
const QUIET_LEVEL = 0.02;
const LONG_QUIET_MS = 6_000;

export class Session {
  #microphone;
  #before;
  /** @type {WakeLockSentinel | null} */
  #wakeLock = null;
  #heardAt = performance.now();
  #onEnd;
  #isOver = false;

  /**
   * `onEnd(session)`: all slices are stored.
   * @param {Upload} upload
   * @param {Microphone} microphone
   * @param {(session: Session) => Promise<void>} onEnd
   */
  constructor(upload, microphone, onEnd) {
    this.upload = upload;
    this.isFinishing = false;
    this.#microphone = microphone;
    this.#before = upload.stored.milliseconds + upload.waiting.milliseconds;
    this.#onEnd = onEnd;
  }

  start() {
    this.#microphone.start({
      onSlice: (blob, milliseconds) => this.upload.add(blob, milliseconds),
      onEnd: () => this.#end(),
    });
    this.stayAwake();
  }

  /** How long the recording has lasted, with what was recorded before it was interrupted. */
  get milliseconds() {
    return Math.round(this.#before + this.#microphone.milliseconds);
  }

  /** From 0 to 1, or null where the browser does not tell. */
  get level() {
    return this.#microphone.level;
  }

  get isPaused() {
    return this.#microphone.isPaused;
  }

  /** Nothing was heard for a while: perhaps it is the wrong microphone, or the browser does not tell. */
  get isQuiet() {
    return !this.isPaused && performance.now() - this.#heardAt > LONG_QUIET_MS;
  }

  /** The service takes no more before long, or refuses it. */
  get isToEnd() {
    return this.upload.state === "refused" || Date.now() > this.upload.entry.endsAt - SPARE_MS;
  }

  listen() {
    if (this.isPaused || (this.level ?? 0) > QUIET_LEVEL) this.#heardAt = performance.now();
  }

  pause() {
    this.#microphone.pause();
  }

  resume() {
    this.#microphone.resume();
  }

  finish() {
    this.isFinishing = true;
    this.#microphone.stop();
  }

  stop() {
    this.#microphone.stop();
  }

  /** Keep the screen on, which on a telephone keeps the page running. Refused where the battery is low. */
  async stayAwake() {
    if (this.#isOver || document.visibilityState !== "visible") return;
    this.#wakeLock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
    if (this.#isOver) this.#wakeLock?.release();
  }

  async #end() {
    this.#isOver = true;
    this.#wakeLock?.release();
    await this.upload.source.settled();
    await this.#onEnd(this);
  }
}

/** A microphone that is recorded in slices of about a second, each as the browser encodes it. */

import { asError } from "./problems.js";

const SLICE_MS = 1_000;
const BITS_PER_SECOND = 64_000;
const TYPES = ["audio/webm;codecs=opus", "audio/mp4;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4", "audio/webm"];
const QUIETEST_DB = -60;

/** @type {Record<string, string>} */
const REFUSALS = {
  NotAllowedError: "This page may not use the microphone. Allow it in the browser's settings for this page, and try again.",
  NotFoundError: "There is no microphone. Connect one, and try again.",
  NotReadableError: "The microphone cannot be used. Another program may be using it.",
  OverconstrainedError: "This microphone is not there any more. Choose another one.",
  SecurityError: "The browser lets no page use the microphone.",
};

/** Why there is no microphone, as a sentence for a person. */
export class NoMicrophone extends Error {}

/** The microphones as `[{id, name}]`. They have names only once the page may use them. */
export async function microphones() {
  const found = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return found
    .filter((one) => one.kind === "audioinput" && one.deviceId && one.label)
    .map((one) => ({ id: one.deviceId, name: one.label }));
}

export class Microphone {
  #stream;
  #recorder;
  #context;
  #analyser;
  #samples;
  #heardMs = 0;
  #told = 0;
  /** @type {number | null} */
  #since = null;

  /**
   * Asks the person, if need be. `id`: null for the one that the browser chooses. Throws NoMicrophone.
   * @param {string | null} id
   */
  static async open(id) {
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      throw new NoMicrophone("Browsers let a page record only over HTTPS, or on the machine that the service runs on.");
    }
    let stream;
    try {
      const audio = { channelCount: 1, ...(id ? { deviceId: { exact: id } } : {}) };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
      return new Microphone(stream);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      const { name, message } = asError(error);
      throw new NoMicrophone(REFUSALS[name] ?? `The microphone cannot be used: ${message}`);
    }
  }

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.#stream = stream;
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#samples = new Float32Array(this.#analyser.fftSize);
  }

  get mimeType() {
    return this.#recorder.mimeType;
  }

  get isPaused() {
    return this.#recorder.state === "paused";
  }

  /** How long it has recorded, without pauses. */
  get milliseconds() {
    return this.#heardMs + (this.#since === null ? 0 : performance.now() - this.#since);
  }

  /** How loud it is at this moment, from 0 to 1; null where the browser does not tell, as Firefox without a loudspeaker. */
  get level() {
    if (this.#context.state !== "running") return null;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    const decibels = power > 0 ? 10 * Math.log10(power) : QUIETEST_DB;
    return Math.min(1, Math.max(0, 1 - decibels / QUIETEST_DB));
  }

  /**
   * `onSlice(blob, milliseconds)`; `onEnd()`: nothing more comes, after `stop` or because the microphone is gone.
   * Throws NoMicrophone if it is gone already.
   * @param {{onSlice: (blob: Blob, milliseconds: number) => void, onEnd: () => void}} told
   */
  start({ onSlice, onEnd }) {
    this.#recorder.ondataavailable = ({ data }) => {
      const now = this.milliseconds;
      if (data.size > 0) onSlice(data, Math.max(0, now - this.#told));
      this.#told = now;
    };
    this.#recorder.onstop = () => {
      this.close();
      onEnd();
    };
    try {
      this.#recorder.start(SLICE_MS);
    } catch {
      throw new NoMicrophone("The microphone is gone. Choose another one, and try again.");
    }
    this.#since = performance.now();
  }

  pause() {
    if (this.#recorder.state !== "recording") return;
    this.#recorder.requestData();
    this.#recorder.pause();
    this.#standStill();
  }

  resume() {
    if (this.#recorder.state !== "paused") return;
    this.#recorder.resume();
    this.#since = performance.now();
  }

  /** The last slice and `onEnd` come after it. */
  stop() {
    this.#standStill();
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
  }

  close() {
    this.#standStill();
    this.#stream.getTracks().forEach((track) => track.stop());
    if (this.#context.state !== "closed") this.#context.close();
  }

  #standStill() {
    this.#heardMs = this.milliseconds;
    this.#since = null;
  }
}

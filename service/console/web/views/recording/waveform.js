/** The shape of a recording's sound, to see where somebody speaks and to go there. The slider does the same by keyboard. */

import { ApiError, reached } from "../../api.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { fewer, peaksOf } from "./peaks.js";

const LONGEST_MS = 30 * 60_000;
const LARGEST_BYTES = 30_000_000;
/** Samples per second that are decoded to: enough for loudness, and an hour of them is still small. */
const RATE = 8_000;
const MOST_PEAKS = 4_000;
const BAR_PX = 3;

export class Waveform {
  element = document.createElement("div");
  #onSeek;
  #canvas = document.createElement("canvas");
  #playhead = document.createElement("div");
  #peaks = null;
  #seconds = 0;
  #sentence = null;
  #shown = null;
  #signal;

  /** `onSeek(seconds)`: somebody wants to go there. */
  constructor(signal, { onSeek }) {
    this.#signal = signal;
    this.#onSeek = onSeek;
    this.element.className = "waveform";
    this.element.hidden = true;
    this.#playhead.className = "playhead";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#canvas.addEventListener("click", (event) => this.#clicked(event));
    const resized = new ResizeObserver(() => this.#paint());
    resized.observe(this.#canvas);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => this.#paint(), { signal });
    signal.addEventListener("abort", () => resized.disconnect(), { once: true });
  }

  /** Show the audio that a URL gives, once for each content. */
  async show(url, { content_sha256: content, duration_ms: length, file_size_bytes: size }) {
    if (content === this.#shown) return;
    [this.#shown, this.#peaks, this.#sentence] = [content, null, null];
    if (url !== null && (length > LONGEST_MS || size > LARGEST_BYTES)) {
      this.#sentence = "There is no waveform of recordings of more than 30 minutes or 30 MB.";
    } else if (url !== null) await this.#load(url, content);
    this.#draw();
  }

  mark(seconds) {
    if (this.#seconds) this.#playhead.style.insetInlineStart = `${Math.min(100, (100 * seconds) / this.#seconds)}%`;
  }

  async #load(url, content) {
    try {
      const sound = await decoded(url, this.#signal);
      if (content !== this.#shown) return;
      const channels = Array.from({ length: sound.numberOfChannels }, (_, number) => sound.getChannelData(number));
      this.#peaks = peaksOf(channels, MOST_PEAKS);
      this.#seconds = sound.duration;
    } catch (error) {
      if (this.#signal.aborted || content !== this.#shown) return;
      this.#sentence =
        error instanceof ApiError ? error.message : "This browser cannot decode this audio, so there is no waveform.";
    }
  }

  #draw() {
    const shape = html`${this.#canvas}${this.#playhead}`;
    render(this.#peaks ? shape : this.#sentence ? html`<p class="remark">${this.#sentence}</p>` : nothing, this.element);
    this.element.hidden = this.#peaks === null && this.#sentence === null;
    this.element.classList.toggle("without", this.#sentence !== null);
    this.#paint();
  }

  #paint() {
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    if (this.#peaks === null || width === 0) return;
    const scale = devicePixelRatio;
    [this.#canvas.width, this.#canvas.height] = [width * scale, height * scale];
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = getComputedStyle(this.element).getPropertyValue("color");
    const bars = fewer(this.#peaks, Math.floor(width / BAR_PX));
    const step = width / bars.length;
    bars.forEach((peak, number) => {
      const tall = Math.max(1, peak * height);
      pen.fillRect(number * step, (height - tall) / 2, Math.max(1, step - 1), tall);
    });
  }

  #clicked(event) {
    const { left, width } = this.#canvas.getBoundingClientRect();
    this.#onSeek(((event.clientX - left) / width) * this.#seconds);
  }
}

/** A whole range is asked for, since only answers to such are certain to come from this service. Throws ApiError. */
async function decoded(url, signal) {
  const answer = await reached(fetch(url, { headers: { Range: "bytes=0-" }, signal }));
  if (!answer.ok) throw await ApiError.of(answer);
  const bytes = await reached(answer.arrayBuffer());
  return new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
}

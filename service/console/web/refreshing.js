/** Keeps what a view shows true: loads it now, and again every few seconds while somebody looks. */

import { ApiError } from "./api.js";

const LONGEST_WAIT_MS = 60_000;

/** @typedef {{everyMs: number, signal: AbortSignal, onProblem: (error: ApiError | null) => void}} Options */

/**
 * A view of what is loaded again and again. A subclass has `load()`, an async function that gives its requests
 * `ended.signal`, and draws `problem`; after a change it calls `refreshing.soon()`.
 */
export class RefreshedView {
  #app;
  /** @type {string | null} */
  problem = null;
  ended = new AbortController();

  /** @param {{update(): void}} app @param {number} everyMs */
  constructor(app, everyMs) {
    this.#app = app;
    this.refreshing = new Refreshing(() => this.load(), {
      everyMs,
      signal: this.ended.signal,
      onProblem: (error) => this.show(error),
    });
  }

  /** @returns {Promise<void>} */
  async load() {
    throw new Error("A view of what is loaded again and again says what it loads.");
  }

  start() {
    this.refreshing.run();
  }

  stop() {
    this.ended.abort();
  }

  /**
   * Tell what went wrong; null: nothing any more.
   * @param {Error | null} error
   */
  show(error) {
    this.problem = error?.message ?? null;
    this.#app.update();
  }
}

export class Refreshing {
  #load;
  #everyMs;
  #signal;
  #onProblem;
  /** @type {(() => void) | null} */
  #wake = null;
  #isDue = false;
  #runs = false;

  /**
   * `load`: an async function. `onProblem(error)`: what went wrong (an ApiError), or null once it is right again.
   * It goes on until the signal is given, or the service refuses what is asked for; then only `soon` begins it again.
   * @param {() => Promise<unknown>} load
   * @param {Options} options
   */
  constructor(load, { everyMs, signal, onProblem }) {
    this.#load = load;
    this.#everyMs = everyMs;
    this.#signal = signal;
    this.#onProblem = onProblem;
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    document.addEventListener("visibilitychange", () => this.#wake?.(), { signal });
  }

  /** Load at once: something was changed. Two loads never overlap, so no older answer follows a newer one. */
  soon() {
    this.#isDue = true;
    this.#wake?.();
    if (!this.#runs) this.run();
  }

  async run() {
    this.#runs = true;
    try {
      await this.#run();
    } finally {
      this.#runs = false;
    }
  }

  async #run() {
    let wait = this.#everyMs;
    while (!this.#signal.aborted) {
      this.#isDue = false;
      try {
        await this.#load();
        if (this.#signal.aborted) return;
        wait = this.#everyMs;
        this.#onProblem(null);
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        this.#onProblem(error);
        if (error.isFinal) return;
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
      }
      await this.#pause(wait);
    }
  }

  /**
   * A hidden tab asks for nothing; it does once it is seen again, if it is time.
   * @param {number} milliseconds
   */
  async #pause(milliseconds) {
    const end = performance.now() + milliseconds;
    while (!this.#signal.aborted && !this.#isDue) {
      const left = end - performance.now();
      if (left <= 0 && !document.hidden) return;
      await new Promise((resolve) => {
        const timer = left > 0 ? setTimeout(resolve, left) : undefined;
        this.#wake = () => (clearTimeout(timer), resolve(undefined));
      });
      this.#wake = null;
    }
  }
}

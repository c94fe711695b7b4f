/** What a person is told of what went wrong since they last did something: a few sentences, or none. */

/**
 * What was thrown; JavaScript lets anything be.
 * @param {unknown} thrown
 */
export function asError(thrown) {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

export class Problems {
  #onChange;
  #signal;

  /**
   * Nothing is told once the signal is given.
   * @param {() => void} onChange
   * @param {AbortSignal} signal
   */
  constructor(onChange, signal) {
    /** @type {string | null} */
    this.text = null;
    this.#onChange = onChange;
    this.#signal = signal;
  }

  /** @param {string | null} text */
  tell(text) {
    this.text = text;
    this.#onChange();
  }

  /**
   * Await `action`; an error's sentence is told beside those before it. Never throws.
   * @param {() => Promise<unknown>} action
   */
  async ofAction(action) {
    try {
      await action();
    } catch (error) {
      const [told, { message }] = [this.text ?? "", asError(error)];
      if (!this.#signal.aborted && !told.includes(message)) this.tell(`${told} ${message}`.trim());
    }
    this.#onChange();
  }

  /** For `patiently`: what is waited for is told, until it comes. */
  get patience() {
    /** @type {string | undefined} */
    let told;
    const onHindrance = (/** @type {Error | null} */ error) => {
      if (error !== null || this.text === told) this.tell(error?.message ?? null);
      told = error?.message;
    };
    return { onHindrance, signal: this.#signal };
  }
}

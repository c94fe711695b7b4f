/** What a person is told of what went wrong since they last did something: a few sentences, or none. */

export class Problems {
  #onChange;
  #signal;

  /** Nothing is told once the signal is given. */
  constructor(onChange, signal) {
    this.text = null;
    this.#onChange = onChange;
    this.#signal = signal;
  }

  tell(text) {
    this.text = text;
    this.#onChange();
  }

  /** Await `action`; an error's sentence is told beside those before it. Never throws. */
  async ofAction(action) {
    try {
      await action();
    } catch (error) {
      const told = this.text ?? "";
      if (!this.#signal.aborted && !told.includes(error.message)) this.tell(`${told} ${error.message}`.trim());
    }
    this.#onChange();
  }

  /** For `patiently`: what is waited for is told, until it comes. */
  get patience() {
    let told;
    const onHindrance = (error) => {
      if (error !== null || this.text === told) this.tell(error?.message ?? null);
      told = error?.message;
    };
    return { onHindrance, signal: this.#signal };
  }
}

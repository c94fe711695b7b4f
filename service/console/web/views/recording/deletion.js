/** Deletes a recording, after a question that says what is lost. */

import { nameOf } from "../../format.js";
import { problem } from "../../parts.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";

export class Deletion {
  #app;
  #id;
  #isDeleting = false;
  #problem = null;

  constructor(app, id) {
    this.#app = app;
    this.#id = id;
  }

  template(recording) {
    if (!this.#app.allows("recordings:write")) return nothing;
    return html`
      <section class="deletion" aria-labelledby="deletion">
        <h2 id="deletion">Delete</h2>
        ${problem(this.#problem)}
        <button class="danger" @click=${() => dialog().showModal()}>Delete this recording…</button>
        <dialog id="delete-dialog" aria-labelledby="delete-question">
          <h2 id="delete-question">Delete “${nameOf(recording)}”?</h2>
          <p>Its audio and its stored chunks, its transcript, and every note and summary written of it are erased. Nothing
            brings them back. Download first what is still needed.</p>
          <p class="buttons">
            <button autofocus @click=${() => dialog().close()}>Keep it</button>
            <button class="danger" ?disabled=${this.#isDeleting} @click=${() => this.#delete()}>Delete permanently</button>
          </p>
        </dialog>
      </section>
    `;
  }

  async #delete() {
    [this.#isDeleting, this.#problem] = [true, null];
    this.#app.update();
    try {
      await this.#app.api.send("DELETE", `/v1/recordings/${this.#id}`);
      this.#app.go("/console");
      this.#app.announce("The recording is deleted.");
    } catch (error) {
      this.#problem = error.message;
      dialog().close();
    }
    this.#isDeleting = false;
    this.#app.update();
  }
}

function dialog() {
  return document.getElementById("delete-dialog");
}

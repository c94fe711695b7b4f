/** Signing in with a key of the API. */

import { problem } from "../parts.js";
import { html } from "../vendor/lit-html/lit-html.js";

export class SignInView {
  title = "Sign in";
  #app;
  #isTrying = false;

  constructor(app) {
    this.#app = app;
  }

  start() {}

  stop() {
    this.#app.problem = null;
  }

  template() {
    return html`
      ${problem(this.#app.problem)}
      <form class="card" @submit=${(event) => this.#submit(event)}>
        <label for="key">API key</label>
        <input id="key" name="key" type="password" autocomplete="off" spellcheck="false" required
          placeholder="sk_… or rk_…" aria-describedby="key-help">
        <p id="key-help">This tab keeps it until it is closed. <code>tapedeck keys create</code> makes a key; on a
          development machine, <code>tapedeck console</code> prints a link that signs in by itself.</p>
        <button class="main" ?disabled=${this.#isTrying}>Sign in</button>
      </form>
    `;
  }

  async #submit(event) {
    event.preventDefault();
    const key = new FormData(event.target).get("key").trim();
    this.#isTrying = true;
    this.#app.problem = null;
    this.#app.update();
    try {
      await this.#app.signIn(key);
    } catch (error) {
      this.#app.problem = error.status === 401 ? "The service does not know this key." : error.message;
    }
    this.#isTrying = false;
    this.#app.update();
  }
}

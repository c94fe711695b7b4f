/**
 * A secret that the service shows once: to be copied now.
 * @typedef {{announce(text: string): void}} Announcing
 */

import { html } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";

/**
 * `name`: what it is, such as "Secret of https://a.example". `onDone`: it was taken; show it no more.
 * @param {Announcing} app
 * @param {{name: string, advice: string, value: string, onDone: () => void}} secret
 */
export function shownOnce(app, { name, advice, value, onDone }) {
  const card = () => html`
    <section class="card once" aria-label=${name}>
      <label for="once">${name}</label>
      <div class="row">
        <input id="once" class="code" readonly .value=${value} autocomplete="off" spellcheck="false"
          aria-describedby="once-advice" @focus=${selectAll}>
        <button class="main" @click=${(/** @type {Event} */ event) => copy(app, event)}>Copy</button>
        <button @click=${onDone}>Done</button>
      </div>
      <p id="once-advice">${advice}</p>
    </section>
  `;
  return repeat([value], (one) => one, card); // of another value nothing is copied yet
}

/** @param {Event & {target: HTMLInputElement}} event */
function selectAll({ target }) {
  target.select();
}

/**
 * Where pages may not write to the clipboard, as without HTTPS, the text is selected, to be copied by hand.
 * @param {Announcing} app
 * @param {Event} event
 */
async function copy(app, { target: button }) {
  if (!(button instanceof HTMLButtonElement)) return;
  const input = button.closest(".once")?.querySelector("input");
  if (!input) return;
  input.focus();
  try {
    await navigator.clipboard.writeText(input.value);
    app.announce("Copied.");
    button.textContent = "Copied";
  } catch {
    app.announce("It is selected: copy it with the keyboard.");
  }
}

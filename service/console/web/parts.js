/** Pieces that several views draw. */

import { state } from "./format.js";
import { html, nothing } from "./vendor/lit-html/lit-html.js";

/** @param {string} status */
export function stateBadge(status) {
  const { word, shape } = state(status);
  return html`<span class="state" data-state=${status}><span aria-hidden="true">${shape}</span> ${word}</span>`;
}

/**
 * A sentence about what went wrong, which a screen reader reads at once.
 * @param {string | null} text
 */
export function problem(text) {
  return text ? html`<p class="problem" role="alert">${text}</p>` : nothing;
}

/** What is on its way, card by card, and what is said in the newest recording. */

import { bytes, duration, time } from "../format.js";
import { problem, stateBadge } from "../parts.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";

/** An upload that is not being recorded. `actions`: functions for its buttons; null for one that cannot be used now. */
export function uploadCard(upload, actions) {
  const { entry, state, stored, waiting } = upload;
  const name = entry.name || `Recording of ${time(entry.begunAt)}`;
  return html`
    <li class="card upload" data-state=${state}>
      <h3>${state === "finished" ? html`<a href="/console/recordings/${entry.recordingId}">${name}</a>` : name}</h3>
      ${state === "refused" ? problem(upload.problem) : upload.problem ? html`<p role="status">${upload.problem}</p>` : nothing}
      ${upload.isUnsafe ? html`<p>This browser has no room to keep it: leave this tab open until all is sent.</p>` : nothing}
      ${entry.lacksSome ? html`<p>A part of it is missing: this browser could not keep it.</p>` : nothing}
      ${outcome(state, entry) ?? whereabouts(entry, stored, waiting)}
      ${state === "sending" ? html`<progress max="1" .value=${upload.share} aria-label="Sent of ${name}"></progress>` : nothing}
      ${state === "left" ? leftButtons(actions) : state === "refused" ? refusedButtons(upload, actions) : nothing}
    </li>
  `;
}

/** State and words of the recording that is listened to. */
export function listenedCard(listener) {
  const { recordingId, status, segments, isLost, isOver } = listener;
  const words = segments.filter(Boolean);
  return html`
    <section class="words" aria-labelledby="words-heading">
      <h2 id="words-heading">What is said</h2>
      <p class="listened">${status ? stateBadge(status) : nothing} <a href="/console/recordings/${recordingId}">Open the recording</a></p>
      ${isLost ? html`<p role="status">No connection. Words are shown again when it is back.</p>` : nothing}
      ${problem(listener.problem)}
      <div class="said" tabindex="0" role="group" aria-label="Words">
        ${words.length ? words.map(line) : html`<p class="soft">${isOver ? "Nothing was said." : "Words come a little after they are said."}</p>`}
      </div>
    </section>
  `;
}

function line({ start, text }) {
  return html`<p class="line"><span class="at">${duration(1000 * start)}</span> ${text}</p>`;
}

function outcome(state, { isCutShort, lacksSome }) {
  if (state === "finished" && isCutShort) return html`<p>What was on the server is kept; the rest was left out.</p>`;
  if (state === "finished") return html`<p>${lacksSome ? "The rest" : "All of it"} is on the server.</p>`;
  return state === "empty" ? html`<p>Nothing was recorded, so nothing is kept.</p>` : null;
}

function whereabouts(entry, stored, waiting) {
  return html`<p class="soft">On the server: ${part(entry, stored)}. In this browser: ${part(entry, waiting)}.</p>`;
}

/** How much of an entry something is, as a person measures it. */
export function part(entry, { milliseconds, bytes: size }) {
  return entry.kind === "microphone" ? `${duration(milliseconds)} · ${bytes(size)}` : bytes(size);
}

function leftButtons({ goOn, finish, discard }) {
  return html`
    <p>It was interrupted. What is recorded when you go on is joined to it.</p>
    <div class="buttons">
      <button class="main" @click=${finish}>Finish</button>
      <button ?disabled=${goOn === null} @click=${goOn}>Go on recording</button>
      <button class="quiet" @click=${discard}>Discard…</button>
    </div>
  `;
}

function refusedButtons({ stored, isLost, isGone }, { finishShort, sendAnew, discard }) {
  return html`
    <div class="buttons">
      ${isLost ? nothing : html`<button @click=${sendAnew}>Send all of it as a new recording</button>`}
      ${stored.bytes && !isGone ? html`<button @click=${finishShort}>Finish with what is on the server</button>` : nothing}
      <button class="quiet" @click=${discard}>Discard…</button>
    </div>
  `;
}

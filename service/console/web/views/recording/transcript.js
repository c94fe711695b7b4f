/**
 * The words of a recording: drawn once, so that hours of speech can be followed. The word being spoken is marked by a
 * class on its element alone, and a click anywhere is taken by one listener.
 *
 * By keyboard all of it is one stop: up and down go from one segment to the next, left and right from word to word,
 * and Enter plays from there.
 */

import { duration } from "../../format.js";
import { Beginnings, piecesOf } from "./words.js";

const SEGMENTS_AT_ONCE = 100;
/** Seconds by which a word may begin after the time that is said to be its own: times are rounded on the way. */
const SLACK = 0.02;

export class Transcript {
  element = made("div", "transcript");
  #onPlay;
  #list = made("ol", "segments");
  #words = [];
  #times = new Beginnings([]);
  #spoken = null;
  #cited = [];
  #stop = null;
  #shown = null;
  #follows = true;
  #isReadersScroll = false;
  #drawing = 0;

  /** `onPlay(seconds)`: somebody wants to hear what is said then. */
  constructor({ onPlay }) {
    this.#onPlay = onPlay;
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-label", "Words");
    this.element.append(this.#list);
    this.element.addEventListener("click", (event) => this.#clicked(event));
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
    for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      this.element.addEventListener(event, () => (this.#isReadersScroll = true), { passive: true });
    }
    this.element.addEventListener("scroll", () => this.#scrolled());
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  /** A segment that was just recognized. There is nothing to play yet. */
  say({ index, ...segment }) {
    this.#shown = null;
    const isAtEnd = this.element.scrollTop + this.element.clientHeight >= this.element.scrollHeight - 4;
    while (this.#list.childElementCount > index) this.#list.lastElementChild.remove();
    this.#list.append(this.#drawn(segment, this.#speakerBefore(), false));
    if (isAtEnd) this.element.scrollTop = this.element.scrollHeight;
  }

  /** The segments from an index on do not hold any more. */
  withdraw(fromIndex) {
    this.#shown = null;
    while (this.#list.childElementCount > fromIndex) this.#list.lastElementChild.remove();
  }

  /** Draw a whole transcript, some of it at each frame, so that the page stays usable meanwhile. What is drawn stays. */
  async show(segments) {
    const shown = JSON.stringify(segments);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#drawing += 1;
    const drawing = this.#drawing;
    this.#words = [];
    this.#list.replaceChildren();
    let speaker = null;
    for (let first = 0; first < segments.length; first += SEGMENTS_AT_ONCE) {
      const part = document.createDocumentFragment();
      for (const segment of segments.slice(first, first + SEGMENTS_AT_ONCE)) {
        part.append(this.#drawn(segment, speaker, true));
        speaker = segment.speaker ?? null;
      }
      this.#list.append(part);
      if (first + SEGMENTS_AT_ONCE < segments.length) await nextFrame();
      if (drawing !== this.#drawing) return;
    }
    this.#times = new Beginnings(this.#words);
    this.#stop = this.#list.querySelector("button");
    if (this.#stop) this.#stop.tabIndex = 0;
  }

  /** Mark the word that is spoken at a time, in seconds, and keep it in sight unless the reader has scrolled away. */
  mark(seconds) {
    const spoken = this.#times.at(seconds + SLACK)?.element ?? null;
    if (spoken === this.#spoken) return;
    this.#spoken?.classList.remove("spoken");
    spoken?.classList.add("spoken");
    this.#spoken = spoken;
    if (spoken && this.#follows) this.#bringIntoSight(spoken);
  }

  /** Mark the words that are said between two times, in seconds, and bring the first into sight. */
  cite(start, end) {
    for (const element of this.#cited) element.classList.remove("cited");
    this.#cited = this.#times.between(start - SLACK, end - SLACK).map((word) => word.element);
    for (const element of this.#cited) element.classList.add("cited");
    if (this.#cited.length) this.#bringIntoSight(this.#cited[0]);
  }

  #drawn(segment, speakerBefore, isPlayable) {
    const item = made("li", "segment");
    const at = made(isPlayable ? "button" : "span", "at", duration(1000 * segment.start));
    if (isPlayable) {
      at.type = "button";
      at.tabIndex = -1;
      at.dataset.start = segment.start;
      at.setAttribute("aria-label", `Play from ${duration(1000 * segment.start)}`);
    }
    const said = made("p", "said");
    for (const piece of piecesOf(segment)) {
      if (!isPlayable || piece.start === undefined) {
        said.append(piece.text);
        continue;
      }
      const word = made("span", "word", piece.text);
      word.dataset.start = piece.start;
      this.#words.push({ start: piece.start, element: word });
      said.append(word);
    }
    item.append(at);
    if (segment.speaker) {
      item.dataset.speaker = segment.speaker;
      if (segment.speaker !== speakerBefore) item.append(made("span", "speaker", segment.speaker));
    }
    item.append(said);
    return item;
  }

  #speakerBefore() {
    return this.#list.lastElementChild?.dataset.speaker ?? null;
  }

  #clicked(event) {
    const found = event.target.closest("[data-start]");
    if (!found || !getSelection().isCollapsed) return;
    this.#follows = true;
    this.#onPlay(Number(found.dataset.start));
  }

  #pressed(event) {
    const now = document.activeElement;
    if (!this.#list.contains(now)) return;
    if (["Enter", " "].includes(event.key) && now.matches(".word")) this.#onPlay(Number(now.dataset.start));
    else {
      const next = this.#next(event.key, now);
      if (next === undefined) return;
      if (next) this.#moveTo(next);
    }
    event.preventDefault();
  }

  /** Where a key leads; null for nowhere, undefined for a key that leads nowhere ever. */
  #next(key, now) {
    const segment = now.closest(".segment");
    const buttonOf = (item) => item?.querySelector(".at") ?? null;
    switch (key) {
      case "ArrowDown":
        return buttonOf(segment.nextElementSibling);
      case "ArrowUp":
        return buttonOf(segment.previousElementSibling);
      case "Home":
        return buttonOf(this.#list.firstElementChild);
      case "End":
        return buttonOf(this.#list.lastElementChild);
      case "ArrowRight":
        return now.matches(".at") ? segment.querySelector(".word") : now.nextElementSibling;
      case "ArrowLeft":
        return now.matches(".at") ? null : (now.previousElementSibling ?? buttonOf(segment));
      default:
        return undefined;
    }
  }

  #moveTo(element) {
    this.#leave(this.#stop);
    if (element.matches(".word")) element.setAttribute("role", "button");
    element.tabIndex = 0;
    element.focus();
    this.#stop = element;
  }

  #leave(element) {
    if (element.matches(".word")) {
      element.removeAttribute("role");
      element.removeAttribute("tabindex");
    } else element.tabIndex = -1;
  }

  /** Whoever scrolls the spoken word out of sight reads on alone; whoever scrolls it into sight is taken along. */
  #scrolled() {
    if (this.#spoken && this.#isReadersScroll) this.#follows = this.#isInSight(this.#spoken);
  }

  #isInSight(element) {
    const [its, ours] = [element.getBoundingClientRect(), this.element.getBoundingClientRect()];
    return its.bottom > ours.top && its.top < ours.bottom;
  }

  #bringIntoSight(element) {
    const [its, ours] = [element.getBoundingClientRect(), this.element.getBoundingClientRect()];
    if (its.top >= ours.top && its.bottom <= ours.bottom) return;
    this.#isReadersScroll = false;
    this.element.scrollTop += its.top - ours.top - ours.height / 3;
  }
}

function made(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

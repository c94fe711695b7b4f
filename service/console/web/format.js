/** Values as people read them, and the states of a recording in words and shapes. */

/** @import { Recording } from "./answers.js" */

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/**
 * An ISO time in the reader's own form and time zone.
 * @param {string | null | undefined} text
 */
export function time(text) {
  return text ? TIME.format(new Date(text)) : "";
}

/**
 * Milliseconds as 1:02:03 or 2:03; an empty text where nothing is known.
 * @param {number | null | undefined} milliseconds
 */
export function duration(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "";
  const seconds = Math.floor(milliseconds / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** @param {number | null | undefined} size */
export function bytes(size) {
  if (size === null || size === undefined) return "";
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/**
 * Status of the API -> what people call it, and a shape, so that no state is told by its colour alone.
 * @type {Record<string, [word: string, shape: string]>}
 */
const STATES = {
  pending: ["waits for its file", "○"],
  streaming: ["being recorded", "◔"],
  uploaded: ["received", "◑"],
  processing: ["being transcribed", "◕"],
  completed: ["done", "●"],
  failed: ["failed", "✕"],
  integrity_failure: ["damaged", "✕"],
};

/** @param {string} status */
export function state(status) {
  const [word, shape] = STATES[status] ?? [status, "?"];
  return { word, shape };
}

/**
 * What a recording is called: its own name, or when it was made.
 * @param {Pick<Recording, "name" | "recorded_at" | "created_at">} recording
 */
export function nameOf(recording) {
  return recording.name || `Recording of ${time(recording.recorded_at ?? recording.created_at)}`;
}

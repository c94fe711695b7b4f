/** How far a recording has come, in words. */

import { bytes, duration } from "../../format.js";

/** @import { Progress } from "../../answers.js" */

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/**
 * What a `progress` event of the live stream says; an empty text where nothing is known.
 * @param {Progress} told
 */
export function progressText({ chunks_stored, bytes_stored, total_chunks, audio_ms, recognized_ms, ready_at }) {
  const told = [];
  if (total_chunks === undefined && chunks_stored) {
    told.push(`${chunks_stored} ${chunks_stored === 1 ? "chunk" : "chunks"} (${bytes(bytes_stored)}) stored`);
  } else if (total_chunks !== undefined && chunks_stored < total_chunks) told.push(`${chunks_stored} of ${total_chunks} chunks stored`);
  if (recognized_ms) {
    told.push(`${duration(recognized_ms)}${audio_ms ? ` of ${duration(audio_ms)}` : ""} recognized`);
  }
  if (ready_at) told.push(`ready about ${CLOCK.format(new Date(ready_at))}`);
  return told.join(", ");
}

/**
 * The share that is recognized, from 0 to 1; null where it is not known.
 * @param {Progress} told
 */
export function shareDone({ audio_ms, recognized_ms }) {
  return audio_ms ? Math.min(1, (recognized_ms ?? 0) / audio_ms) : null;
}

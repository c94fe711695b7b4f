/** The events of a history as sentences. Nothing here draws. */

import { bytes, duration } from "../../format.js";

const SENTENCES = {
  RecordingOpened: ({ dialect }) => `Opened over the API of ${dialect}`,
  ChunkStored: ({ number, size_bytes }) => `Chunk ${number} stored, ${bytes(size_bytes)}`,
  ChunkTranscribed: ({ number }) => `Chunk ${number} transcribed`,
  PartHeard: () => "A part was heard ahead",
  FinalizeRequested: ({ total_chunks }) => `Declared complete, with ${counted(total_chunks, "chunk")}`,
  Stitched: ({ duration_ms, size_bytes, damage }) =>
    `Stitched: ${duration(duration_ms)}, ${bytes(size_bytes)}${damage?.length ? `, without ${counted(damage.length, "damaged chunk")}` : ""}`,
  Transcribed: ({ word_count, engine }) => `Transcribed by ${engine}: ${counted(word_count, "word")}`,
  NoteWritten: ({ engine }) => `Note written by ${engine}`,
  NoteEdited: ({ author }) => `Note corrected by ${author}`,
  Failed: ({ message }) => `Failed: ${message}`,
  RetryRequested: ({ stage }) => `Tried again from ${stage}`,
  TranscriptionRequested: ({ language }) => `A transcription was asked for${language ? ` in ${language}` : ""}`,
  ContentErased: ({ part }) => `Stored bytes erased: ${part}`,
  RecordingDeleted: () => "Deleted",
};

/** What happened; the event's type where there is no sentence for it. */
export function sentence({ type, data }) {
  return SENTENCES[type]?.(data) ?? type;
}

/** The facts of an event that say something, as [name, text]. */
export function facts({ data }) {
  return Object.entries(data)
    .filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]);
}

export function counted(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** Opening a recording at the service, and what is kept of it in the outbox. */

import { pause, reached } from "../api.js";

const LONGEST_MEASURING_MS = 5_000;
const END_USER = "eu_console";
const FILE_CODECS = ["opus", "ogg", "oga", "wav", "wave", "flac", "mp3", "aac", "m4a", "mp4", "webm"];

/**
 * @import { Api } from "../api.js"
 * @import { NewRecording } from "../answers.js"
 * @import { Entry } from "./outbox.js"
 * @typedef {{projectId: string, name: string, mimeType: string, begunAt?: string}} Kept
 */

/**
 * Throws ApiError.
 * @param {Api} api
 * @param {Kept & {milliseconds?: number}} kept
 */
export async function newMicrophoneEntry(api, { projectId, name, mimeType, begunAt = now(), milliseconds = 0 }) {
  return opened(api, { projectId, kind: "microphone", name, mimeType, codec: mimeType || "webm", begunAt, milliseconds, isEnded: false });
}

/**
 * `file` is measured if its length is not given. Throws ApiError; Error for an empty file.
 * @param {Api} api
 * @param {Kept & {sizeBytes?: number, milliseconds?: number, file?: File}} kept
 */
export async function newFileEntry(api, { projectId, name, mimeType, sizeBytes, file, milliseconds, begunAt = now() }) {
  if (sizeBytes === 0) throw new Error(`${name} is empty.`);
  const lasts = milliseconds ?? (file ? await lengthOf(file) : 0);
  const suffix = name.toLowerCase().split(".").at(-1) ?? "";
  const codec = FILE_CODECS.includes(suffix) ? suffix : "m4a"; // only a word: the service goes by the bytes
  return opened(api, { projectId, kind: "file", name, mimeType, codec, begunAt, sizeBytes, milliseconds: lasts, isEnded: true });
}

/**
 * The same again as another recording of the service, under the same key of the outbox. Throws ApiError.
 * @param {Api} api
 * @param {Entry} entry
 * @returns {Promise<Entry>}
 */
export async function openedAnew(api, { kind, key, projectId, name, mimeType, begunAt, milliseconds, sizeBytes, lacksSome }) {
  const opening = kind === "file" ? newFileEntry : newMicrophoneEntry;
  const fresh = await opening(api, { projectId, name, mimeType, begunAt, milliseconds, sizeBytes });
  return { ...fresh, key, isEnded: true, lacksSome };
}

/**
 * @param {Api} api
 * @param {Pick<Entry, "kind" | "projectId" | "name" | "mimeType" | "begunAt" | "sizeBytes" | "milliseconds" | "isEnded"> & {codec: string}} kept
 * @returns {Promise<Entry>}
 */
async function opened(api, { codec, ...kept }) {
  const key = randomKey();
  const body = JSON.stringify({
    streaming: true,
    codec,
    end_user_id: END_USER,
    ...(kept.kind === "microphone" ? { started_at: kept.begunAt } : {}),
    ...(kept.name ? { name: kept.name.slice(0, 500) } : {}),
  });
  const answer = await api.request("POST", "/v1/recordings", { body, headers: { "Idempotency-Key": key } });
  /** @type {NewRecording} */
  const made = await reached(answer.json());
  const windowMs = Date.parse(made.expires_at) - Date.parse(answer.headers.get("Date") ?? "");
  return {
    ...kept,
    key,
    recordingId: made.id,
    template: made.chunk_upload_url_template,
    mostChunks: made.max_chunks,
    windowMs,
    endsAt: Date.now() + windowMs,
    chunks: [],
  };
}

/**
 * What the browser can tell of a file's length, in milliseconds; 0 if nothing.
 * @param {File} file
 * @returns {Promise<number>}
 */
function lengthOf(file) {
  const audio = new Audio();
  const address = URL.createObjectURL(file);
  const measured = new Promise((resolve) => {
    audio.onerror = () => resolve(0);
    audio.onloadedmetadata = () => resolve(Number.isFinite(audio.duration) ? Math.round(1000 * audio.duration) : 0);
    audio.preload = "metadata";
    audio.src = address;
  });
  const tooLong = pause(LONGEST_MEASURING_MS).then(() => 0);
  return Promise.race([measured, tooLong]).finally(() => URL.revokeObjectURL(address));
}

function now() {
  return new Date().toISOString();
}

/** In place of `crypto.randomUUID`, which browsers have only over HTTPS and on this machine. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

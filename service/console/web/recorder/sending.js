/** Sending with patience: what fails for a reason that passes is done again until it succeeds. */

import { ApiError, here, pause } from "../api.js";

/** @import { ErrorAnswer } from "../answers.js" */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 120_000;

/**
 * Whether the same request may succeed later: no connection, a service that restarts, is busy, or has no room yet.
 * @param {unknown} error
 * @returns {error is ApiError}
 */
export function passes(error) {
  return error instanceof ApiError && ([0, 408, 425, 429].includes(error.status) || error.status >= 500);
}

/**
 * What `action` gives once it succeeds. `onHindrance(error)` is told of every failure that passes, and null after success.
 * It is done again after a while, and at once when the browser has its connection back. Throws what does not pass, and an
 * AbortError when the signal is given.
 * @template T
 * @param {() => Promise<T>} action
 * @param {{onHindrance: (error: ApiError | null) => void, signal: AbortSignal}} options
 */
export async function patiently(action, { onHindrance, signal }) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const done = await action();
      onHindrance(null);
      return done;
    } catch (error) {
      signal.throwIfAborted();
      if (!passes(error)) throw error;
      onHindrance(error);
    }
    await online(wait * (0.5 + Math.random()), signal);
    signal.throwIfAborted();
  }
}

/**
 * PUT a chunk to its signed URL. Throws ApiError, with status 0 where nothing moves any more.
 * @param {string} template
 * @param {number} number
 * @param {Blob} blob
 * @param {{onProgress: (sent: number) => void, signal: AbortSignal}} options
 * @returns {Promise<void>}
 */
export function putChunk(template, number, blob, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    /** @type {number | undefined} */
    let silence;
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(() => request.abort(), SILENCE_MS);
    };
    const abort = () => request.abort();
    request.upload.onprogress = ({ loaded }) => {
      hear();
      onProgress(loaded);
    };
    request.onload = () => (request.status < 300 ? resolve() : reject(refusalOf(request)));
    request.onerror = request.onabort = () => reject(ApiError.unreachable());
    request.onloadend = () => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort);
    request.open("PUT", here(template.replace("{part}", String(number))));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    hear();
    request.send(blob);
  });
}

/**
 * The SHA-256 in lower-case hex, or null where the browser has none (it has over HTTPS and on this machine).
 * @param {Blob} blob
 */
export async function sha256(blob) {
  if (!crypto.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {XMLHttpRequest} answered */
function refusalOf({ status, responseText }) {
  /** @type {ErrorAnswer} */
  let error = {};
  try {
    error = JSON.parse(responseText).error ?? {};
  } catch {
    // a proxy's page, say: the status has to do
  }
  return new ApiError(status, error.type ?? "unknown", error.message ?? `The service answered ${status}.`, error);
}

/**
 * @param {number} longest in milliseconds
 * @param {AbortSignal} signal
 */
async function online(longest, signal) {
  const ended = new AbortController();
  const end = () => ended.abort();
  addEventListener("online", end, { once: true });
  signal.addEventListener("abort", end, { once: true });
  await pause(longest, ended.signal);
  removeEventListener("online", end);
  signal.removeEventListener("abort", end);
}

/**
 * How what is recorded, or a file, is cut into chunks. A recording has at most so many chunks and takes them for so long.
 *
 * Each chunk of a recording lasts longer than the one before by the same step: the first ones leave after a few seconds,
 * and together they fill all the time there is. With 100 chunks in 4 hours, the first lasts 4 seconds, that of the fifth
 * minute 40 seconds, and the last less than 5 minutes. A chunk is cut when it is full and for no other reason, so neither
 * pauses nor a lost connection use any up.
 */

export const FIRST_CHUNK_MS = 4_000;
export const LEAST_FILE_CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * How long a chunk lasts at least. `number` counts from 1; the last one has no end of its own.
 * @param {number} number
 * @param {number} mostChunks
 * @param {number} windowMs
 */
export function chunkMilliseconds(number, mostChunks, windowMs) {
  if (number >= mostChunks) return Infinity;
  const first = Math.min(FIRST_CHUNK_MS, windowMs / mostChunks);
  const step = (2 * (windowMs / mostChunks - first)) / (mostChunks - 1);
  return first + step * (number - 1);
}

/**
 * How many of the slices, each with its `milliseconds`, are the next chunk. 0: it is not full yet.
 * @param {{milliseconds: number}[]} slices
 * @param {{number: number, mostChunks: number, windowMs: number, isEnded: boolean}} plan
 */
export function slicesOfNextChunk(slices, { number, mostChunks, windowMs, isEnded }) {
  const full = chunkMilliseconds(number, mostChunks, windowMs);
  let lasts = 0;
  for (const [index, { milliseconds }] of slices.entries()) {
    lasts += milliseconds;
    if (lasts >= full) return index + 1;
  }
  return isEnded ? slices.length : 0;
}

/**
 * The size of a file's chunks, of which the last may be smaller.
 * @param {number} sizeBytes
 * @param {number} mostChunks
 */
export function fileChunkBytes(sizeBytes, mostChunks) {
  return Math.max(LEAST_FILE_CHUNK_BYTES, Math.ceil(sizeBytes / mostChunks));
}

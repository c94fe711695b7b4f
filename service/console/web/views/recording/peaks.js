/** How loud a recording is from moment to moment, for its waveform. Nothing here draws. */

/**
 * The loudest of each of `count` equal pieces, from 0 to 1.
 * @param {Float32Array[]} channels samples from -1 to 1
 * @param {number} count
 */
export function peaksOf(channels, count) {
  const peaks = new Float32Array(count);
  for (const samples of channels) {
    for (let piece = 0; piece < count; piece += 1) {
      const end = Math.ceil(((piece + 1) * samples.length) / count);
      for (let at = Math.floor((piece * samples.length) / count); at < end; at += 1) {
        const loudness = Math.abs(samples[at]);
        if (loudness > peaks[piece]) peaks[piece] = loudness;
      }
    }
  }
  return peaks.map((peak) => Math.min(1, peak));
}

/**
 * The loudest of each of `count` equal pieces of peaks: fewer of them for a narrow window.
 * @param {Float32Array} peaks
 * @param {number} count
 */
export function fewer(peaks, count) {
  return count >= peaks.length ? peaks : peaksOf([peaks], count);
}

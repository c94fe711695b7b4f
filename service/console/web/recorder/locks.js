/**
 * One tab at a time works on an entry of the outbox. A lock ends with its tab, also if that is killed.
 *
 * Browsers have locks only over HTTPS and on this machine. Without them two tabs may send the same file: the same chunks
 * twice, which changes nothing.
 */

const name = (/** @type {string} */ key) => `tapedeck.outbox.${key}`;

/**
 * A function that lets go of it, or null while another tab has it.
 * @param {string} key
 * @returns {Promise<(() => void) | null>}
 */
export async function taken(key) {
  if (!navigator.locks) return () => {};
  return new Promise((resolve, reject) => {
    const whileHeld = (/** @type {Lock | null} */ lock) =>
      lock === null ? resolve(null) : new Promise((release) => resolve(() => release(undefined)));
    navigator.locks.request(name(key), { ifAvailable: true }, whileHeld).catch(reject);
  });
}

/**
 * Resolves once no tab has it any more. Throws AbortError when the signal is given first.
 * @param {string} key
 * @param {AbortSignal} signal
 */
export async function released(key, signal) {
  await navigator.locks.request(name(key), { signal }, () => {});
}

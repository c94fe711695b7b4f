/** Who is signed in: a key that this tab keeps until it is closed, and no other tab sees. */

import { ApiError } from "./api.js";

const KEY = "tapedeck.key";
const LINK = /^#sign-in=([\w-]+)$/;

export function signedInKey() {
  return sessionStorage.getItem(KEY);
}

/** @param {string} key */
export function signIn(key) {
  sessionStorage.setItem(KEY, key);
}

export function signOut() {
  sessionStorage.removeItem(KEY);
}

export function isSignInLink() {
  return LINK.test(location.hash);
}

/** The code of a link that signs in once, or null. It is taken out of the address, and so out of the history. */
export function signInCode() {
  const found = LINK.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname);
  return found[1];
}

/**
 * The key for a code. Throws ApiError if the code was used.
 * @param {string} code
 * @returns {Promise<string>}
 */
export async function tradeCode(code) {
  const answer = await fetch("/console/sign-in", { method: "POST", body: JSON.stringify({ code }) });
  if (!answer.ok) throw await ApiError.of(answer);
  return (await answer.json()).api_key;
}

/** Whose is what an earlier page left in the outbox. */

import { patiently } from "./sending.js";

/**
 * Whether an entry's recording is the project's and still there; then the entry has the newest upload URL. Of a recording
 * that was deleted, what is left here goes, too. `patience`: what `patiently` takes. Throws ApiError.
 */
export async function isOurs(api, outbox, entry, projectId, patience) {
  if (entry.projectId !== projectId) return false;
  try {
    const listing = await patiently(() => api.get(`/v1/recordings/${entry.recordingId}/chunks`), patience);
    if (listing.chunk_upload_url_template) entry.template = listing.chunk_upload_url_template;
  } catch (error) {
    if (error.status === 404) {
      await outbox.remove(entry.key);
      return false;
    }
    if (error.status !== 403) throw error; // a key that may record but not read has the URL of before
  }
  return true;
}

/** Whose is what an earlier page left in the outbox. */

import { patiently } from "./sending.js";

/**
 * Whether the key's project has an entry's recording; then the entry has the newest upload URL. If that project has deleted
 * the recording, what is left of it here goes, too. `patience`: what `patiently` takes. Throws ApiError.
 */
export async function isOurs(api, outbox, entry, patience) {
  const ask = (path) => patiently(() => api.get(path), patience);
  try {
    const listing = await ask(`/v1/recordings/${entry.recordingId}/chunks`);
    if (listing.chunk_upload_url_template) entry.template = listing.chunk_upload_url_template;
    return true;
  } catch (error) {
    if (error.status === 403) return false; // a key that may record but not read cannot ask whose it is
    if (error.status !== 404) throw error;
  }
  const [newest] = (await ask("/v1/recordings?limit=1")).data;
  if (entry.projectId && newest?.project_id === entry.projectId) await outbox.remove(entry.key);
  return false;
}

/** What an earlier page left in the outbox, or this one when somebody signed out. */

import { statusOf } from "../api.js";
import { released, taken } from "./locks.js";
import { patiently } from "./sending.js";
import { Slices, WholeFile } from "./sources.js";

/**
 * @import { Api } from "../api.js"
 * @import { ChunkList } from "../answers.js"
 * @import { Entry, Outbox } from "./outbox.js"
 * @import { Problems } from "./problems.js"
 * @import { Source } from "./sources.js"
 * @import { Upload } from "./upload.js"
 */

const IS_GONE = "The service has no such recording. What is in this browser is kept until you decide.";
const IS_LOST = "The file is not in this browser any more. Drop it again.";

export class Leftovers {
  #api;
  #outbox;
  #problems;
  #signal;
  #uploadOf;
  #onFound;

  /**
   * `uploadOf(entry, source)` makes an upload, `onFound(upload)` gets it with its lock. The signal ends the search.
   * @param {{api: Api, outbox: Outbox, problems: Problems, signal: AbortSignal,
   *   uploadOf: (entry: Entry, source: Source) => Upload, onFound: (upload: Upload) => void}} means
   */
  constructor({ api, outbox, problems, signal, uploadOf, onFound }) {
    this.#api = api;
    this.#outbox = outbox;
    this.#problems = problems;
    this.#signal = signal;
    this.#uploadOf = uploadOf;
    this.#onFound = onFound;
  }

  /**
   * Find all of a project, but for those with a key that `isKnown`. Throws DOMException where the browser reads nothing.
   * @param {string} projectId
   * @param {(key: string) => boolean} isKnown
   */
  async findAll(projectId, isKnown) {
    for (const { key } of await this.#outbox.entries()) if (!isKnown(key)) await this.find(key, projectId);
  }

  /**
   * Find one, once no other tab has it. Never throws.
   * @param {string} key
   * @param {string} projectId
   */
  async find(key, projectId) {
    await this.#problems.ofAction(async () => {
      const release = await taken(key);
      if (release === null) {
        released(key, this.#signal).then(() => this.find(key, projectId), () => {}); // or this page ends before
        return;
      }
      try {
        const upload = await this.#foundUnder(key, projectId);
        if (upload === null) return release();
        upload.release = release;
        this.#onFound(upload);
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  /**
   * Null where there is nothing of the project.
   * @param {string} key
   * @param {string} projectId
   */
  async #foundUnder(key, projectId) {
    const entry = await this.#outbox.entry(key);
    if (!entry || entry.projectId !== projectId) return null;
    const isThere = await patiently(() => this.#isThere(entry), this.#problems.patience);
    const file = entry.kind === "file" ? await this.#outbox.file(key) : undefined;
    const source = file ? new WholeFile(entry, file) : new Slices(this.#outbox, entry);
    await source.load();
    const upload = this.#uploadOf(entry, source);
    upload.hasRoom = !this.#outbox.isInMemory(key);
    upload.isGone = !isThere;
    upload.isLost = entry.kind === "file" && !file;
    if (upload.isLost) upload.refuse(IS_LOST);
    else if (upload.isGone) upload.refuse(IS_GONE);
    return upload;
  }

  /**
   * Whether the service has its recording; then the entry has the newest upload URL. A proxy's 404 may pass.
   * @param {Entry} entry
   */
  async #isThere(entry) {
    try {
      /** @type {ChunkList} */
      const listing = await this.#api.get(`/v1/recordings/${entry.recordingId}/chunks`);
      if (listing.chunk_upload_url_template) entry.template = listing.chunk_upload_url_template;
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      if (statusOf(error) === 403) return true; // a key that may record but not read has the URL of before
      throw error;
    }
  }
}

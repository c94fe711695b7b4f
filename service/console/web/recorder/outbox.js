/**
 * What was recorded, or dropped, and is not all on the server: in this browser's IndexedDB, until the service has
 * everything and says so. What is written is on the disk when the promise resolves (`durability: "strict"`).
 *
 * An entry is one recording of the service: `{key, kind, recordingId, projectId, template, mostChunks, windowMs, endsAt,
 * name, mimeType, begunAt, sizeBytes, milliseconds, isEnded, chunks}`. `kind`: "microphone" or "file". A chunk that was cut
 * is `{number, from, to, bytes, milliseconds, sha256, isStored}`; it is written down before it is sent, so that whoever
 * sends it again sends the same bytes. `from` and `to`: the numbers of its slices, or offsets in the file; `to` excluded.
 */

const DATABASE = "tapedeck.outbox";

export class Outbox {
  #database;

  /** Throws DOMException where the browser lets the page store nothing. */
  static async open() {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore("entries", { keyPath: "key" });
      opening.result.createObjectStore("slices", { keyPath: ["key", "number"] });
      opening.result.createObjectStore("files", { keyPath: "key" });
    };
    return new Outbox(await answerOf(opening));
  }

  constructor(database) {
    this.#database = database;
  }

  /** Oldest first. */
  async entries() {
    const found = await answerOf(this.#database.transaction("entries").objectStore("entries").getAll());
    return found.sort((one, other) => one.begunAt.localeCompare(other.begunAt));
  }

  async put(entry) {
    await this.#write(["entries"], (stores) => stores.entries.put(entry));
  }

  /** Store an entry and its file, both or none. */
  async putWithFile(entry, file) {
    await this.#write(["entries", "files"], (stores) => {
      stores.entries.put(entry);
      stores.files.put({ key: entry.key, file });
    });
  }

  async file(key) {
    return (await answerOf(this.#database.transaction("files").objectStore("files").get(key)))?.file;
  }

  /** `bytes`: an ArrayBuffer. Throws QuotaExceededError where there is no room. */
  async addSlice(key, number, milliseconds, bytes) {
    await this.#write(["slices"], (stores) => stores.slices.put({ key, number, milliseconds, bytes }));
  }

  /** The bytes of the slices `from` to `to`, `to` excluded, as `[{number, bytes}]`. */
  async slices(key, from, to) {
    const range = IDBKeyRange.bound([key, from], [key, to], false, true);
    return answerOf(this.#database.transaction("slices").objectStore("slices").getAll(range));
  }

  /** The slices from a number on, without their bytes: `[{number, milliseconds, size}]`. */
  async measured(key, from) {
    const range = IDBKeyRange.bound([key, from], [key, Infinity]);
    const found = [];
    const asking = this.#database.transaction("slices").objectStore("slices").openCursor(range);
    return new Promise((resolve, reject) => {
      asking.onerror = () => reject(asking.error);
      asking.onsuccess = () => {
        const cursor = asking.result;
        if (cursor === null) return resolve(found);
        const { number, milliseconds, bytes } = cursor.value;
        found.push({ number, milliseconds, size: bytes.byteLength });
        cursor.continue();
      };
    });
  }

  async remove(key) {
    await this.#write(["entries", "slices", "files"], (stores) => {
      stores.entries.delete(key);
      stores.files.delete(key);
      stores.slices.delete(IDBKeyRange.bound([key, 0], [key, Infinity]));
    });
  }

  #write(names, change) {
    const transaction = this.#database.transaction(names, "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new DOMException("Nothing was stored.", "AbortError"));
    });
    change(Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)])));
    return done;
  }
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * What was recorded, or dropped, and is not all on the server: in this browser's IndexedDB, until the service has
 * everything and says so. What is written is on the disk when the promise resolves (`durability: "strict"`). What there is
 * no room for is remembered by this tab, whoever is signed in.
 *
 * An entry is one recording of the service: `{key, kind, recordingId, projectId, template, mostChunks, windowMs, endsAt,
 * name, mimeType, begunAt, sizeBytes, milliseconds, isEnded, lastSlice, isCutShort, lacksSome, chunks}`. `kind`: "microphone"
 * or "file". `isCutShort`: the rest is left out on purpose; `lacksSome`: a part was lost before it was sent. A chunk that was
 * cut is `{number, from, to, bytes, milliseconds, sha256, isStored}`; it is written down before it is sent, so that whoever
 * sends it again sends the same bytes. `from` and `to`: the numbers of its slices, or offsets in the file; `to` excluded.
 */

/**
 * @typedef {{bytes: number, milliseconds: number}} Amount
 * @typedef {{from: number, to: number} & Amount} Piece
 * @typedef {Piece & {number: number, sha256: string | null, isStored: boolean}} Chunk
 * @typedef {{number: number, milliseconds: number, size: number}} Measured
 * @typedef {{key: string, number: number, milliseconds: number, bytes: ArrayBuffer}} Slice
 * @typedef {object} Entry
 * @property {string} key
 * @property {"microphone" | "file"} kind
 * @property {string} recordingId
 * @property {string} projectId
 * @property {string} template
 * @property {number} mostChunks
 * @property {number} windowMs
 * @property {number} endsAt
 * @property {string} name
 * @property {string} mimeType
 * @property {string} begunAt
 * @property {number} [sizeBytes]
 * @property {number} milliseconds
 * @property {boolean} isEnded
 * @property {number} [lastSlice]
 * @property {boolean} [isCutShort]
 * @property {boolean} [lacksSome]
 * @property {Chunk[]} chunks
 */

/** @typedef {"entries" | "slices" | "files"} StoreName */

const DATABASE = "tapedeck.outbox";

/** By the key of the entry; slices by their number, too. An entry here is newer than the one on the disk. */
const inMemory = {
  /** @type {Map<string, Entry>} */
  entries: new Map(),
  /** @type {Map<string, File>} */
  files: new Map(),
  /** @type {Map<string, Slice[]>} */
  slices: new Map(),
};

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

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
  }

  /** Oldest first. */
  async entries() {
    /** @type {Entry[]} */
    const found = await answerOf(this.#store("entries").getAll());
    const all = new Map(found.map((entry) => [entry.key, entry]));
    for (const [key, entry] of inMemory.entries) all.set(key, entry);
    return [...all.values()].sort((one, other) => one.begunAt.localeCompare(other.begunAt));
  }

  /**
   * Undefined if there is none.
   * @param {string} key
   * @returns {Promise<Entry | undefined>}
   */
  async entry(key) {
    return inMemory.entries.get(key) ?? answerOf(this.#store("entries").get(key));
  }

  /**
   * Whether this tab remembers some of it, because there was no room.
   * @param {string} key
   */
  isInMemory(key) {
    return Object.values(inMemory).some((kept) => kept.has(key));
  }

  /**
   * Resolves with whether it is on the disk. An entry whose file is not there is not written either.
   * @param {Entry} entry
   */
  async put(entry) {
    const hasRoom = !inMemory.files.has(entry.key);
    const isStored = hasRoom && (await this.#tryToWrite(["entries"], (stores) => stores.entries.put(entry)));
    if (isStored) inMemory.entries.delete(entry.key);
    else inMemory.entries.set(entry.key, entry);
    return isStored;
  }

  /**
   * Store an entry and its file, both or none. Resolves with whether they are on the disk.
   * @param {Entry} entry
   * @param {File} file
   */
  async putWithFile(entry, file) {
    const isStored = await this.#tryToWrite(["entries", "files"], (stores) => {
      stores.entries.put(entry);
      stores.files.put({ key: entry.key, file });
    });
    if (isStored) return true;
    inMemory.entries.set(entry.key, entry);
    inMemory.files.set(entry.key, file);
    return false;
  }

  /**
   * Undefined if there is none.
   * @param {string} key
   * @returns {Promise<File | undefined>}
   */
  async file(key) {
    return inMemory.files.get(key) ?? (await answerOf(this.#store("files").get(key)))?.file;
  }

  /**
   * Resolves with whether it is on the disk.
   * @param {string} key
   * @param {number} number
   * @param {number} milliseconds
   * @param {ArrayBuffer} bytes
   */
  async addSlice(key, number, milliseconds, bytes) {
    const slice = { key, number, milliseconds, bytes };
    const isStored = await this.#tryToWrite(["slices"], (stores) => stores.slices.put(slice));
    if (!isStored) inMemory.slices.set(key, remembered(key).concat(slice));
    return isStored;
  }

  /**
   * The slices `from` to `to`, `to` excluded, in no order.
   * @param {string} key
   * @param {number} from
   * @param {number} to
   * @returns {Promise<Slice[]>}
   */
  async slices(key, from, to) {
    const found = remembered(key).filter(({ number }) => from <= number && number < to);
    if (found.length === to - from) return found;
    const range = IDBKeyRange.bound([key, from], [key, to], false, true);
    return [...found, ...(await answerOf(this.#store("slices").getAll(range)))];
  }

  /**
   * The slices from a number on, without their bytes, in order.
   * @param {string} key
   * @param {number} from
   */
  async measured(key, from) {
    const kept = remembered(key).filter(({ number }) => from <= number);
    const found = [...(await this.#measuredOnDisk(key, from)), ...kept.map(measure)];
    return found.sort((one, other) => one.number - other.number);
  }

  /** @param {string} key */
  async remove(key) {
    for (const kept of Object.values(inMemory)) kept.delete(key);
    await this.#write(["entries", "slices", "files"], (stores) => {
      stores.entries.delete(key);
      stores.files.delete(key);
      stores.slices.delete(IDBKeyRange.bound([key, 0], [key, Infinity]));
    });
  }

  /**
   * @param {string} key
   * @param {number} from
   * @returns {Promise<Measured[]>}
   */
  #measuredOnDisk(key, from) {
    /** @type {Measured[]} */
    const found = [];
    const asking = this.#store("slices").openCursor(IDBKeyRange.bound([key, from], [key, Infinity]));
    return new Promise((resolve, reject) => {
      asking.onerror = () => reject(asking.error);
      asking.onsuccess = () => {
        const cursor = asking.result;
        if (cursor === null) return resolve(found);
        found.push(measure(cursor.value));
        cursor.continue();
      };
    });
  }

  /**
   * To read from.
   * @param {StoreName} name
   */
  #store(name) {
    return this.#database.transaction(name).objectStore(name);
  }

  /**
   * @param {StoreName[]} names
   * @param {(stores: Record<StoreName, IDBObjectStore>) => void} change
   */
  async #tryToWrite(names, change) {
    return this.#write(names, change).then(() => true, () => false);
  }

  /**
   * @param {StoreName[]} names
   * @param {(stores: Record<StoreName, IDBObjectStore>) => void} change given those that are named, and no other
   */
  async #write(names, change) {
    const transaction = this.#database.transaction(names, "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error ?? new DOMException("Nothing was stored.", "AbortError"));
    });
    try {
      const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
      change(/** @type {Record<StoreName, IDBObjectStore>} */ (stores));
    } catch {
      transaction.abort(); // or what was asked for before the failure would be written
    }
    return done;
  }
}

/** @param {string} key */
function remembered(key) {
  return inMemory.slices.get(key) ?? [];
}

/**
 * @param {Slice} slice
 * @returns {Measured}
 */
function measure({ number, milliseconds, bytes }) {
  return { number, milliseconds, size: bytes.byteLength };
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * All that this tab records and sends. It goes on while other views are shown, until the person signs out.
 *
 * What an earlier page left behind is offered again if it is of the key's project and no other tab works on it.
 */

import { duration } from "../format.js";
import { Leftovers } from "./leftovers.js";
import { Listener } from "./listener.js";
import { taken } from "./locks.js";
import { Microphone } from "./microphone.js";
import { showOnAir } from "./on_air.js";
import { newFileEntry, newMicrophoneEntry, openedAnew } from "./opening.js";
import { Outbox } from "./outbox.js";
import { Problems } from "./problems.js";
import { patiently } from "./sending.js";
import { Session } from "./session.js";
import { Slices, WholeFile } from "./sources.js";
import { Upload } from "./upload.js";

const TICK_MS = 500;

let desk = null;

/** The desk of who is signed in. */
export function deskOf(app) {
  if (desk?.api !== app.api) {
    desk?.close();
    desk = new Desk(app);
    desk.open();
  }
  return desk;
}

export class Desk {
  #app;
  #outbox = null;
  #leftovers = null;
  #projectId = null;
  #queue = Promise.resolve();
  #ended = new AbortController();
  #ready;
  #ticking;

  constructor(app) {
    this.#app = app;
    this.api = app.api;
    this.uploads = [];
    this.session = null;
    this.listener = null;
    this.problems = new Problems(() => this.#changed(), this.#ended.signal);
    this.isStarting = false;
    this.isShown = false;
    this.isRestored = false; // whether what was left behind is shown
  }

  open() {
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    const signal = this.#ended.signal;
    addEventListener("beforeunload", (event) => this.uploads.some(isUnsent) && event.preventDefault(), { signal });
    document.addEventListener("visibilitychange", () => this.session?.stayAwake(), { signal });
    this.#ready = this.problems.ofAction(async () => {
      this.#outbox = await Outbox.open();
      const [uploadOf, onFound] = [(entry, source) => this.#uploadOf(entry, source), (upload) => this.#found(upload)];
      this.#leftovers = new Leftovers({ api: this.api, outbox: this.#outbox, problems: this.problems, signal, uploadOf, onFound });
    });
    this.#ready.then(() => this.#restoreAll());
  }

  /** Stop all. What is not sent stays in the browser, for who signs in to the same project. */
  close() {
    this.#ended.abort();
    clearInterval(this.#ticking);
    showOnAir(null);
    this.session?.stop();
    this.listener?.stop();
    for (const upload of this.uploads) upload.stop();
    if (desk === this) desk = null;
  }

  /** Begin to record. `device`: null for the browser's choice. */
  async record({ device, name }) {
    await this.#begin(device, async (microphone) => {
      const projectId = await this.#project();
      const entry = await newMicrophoneEntry(this.api, { projectId, name, mimeType: microphone.mimeType });
      const upload = this.#uploadOf(entry, new Slices(this.#outbox, entry));
      upload.release = await taken(entry.key);
      await upload.save();
      this.#show(upload);
      return upload;
    });
  }

  /** Record more into one that was interrupted. */
  async goOn(upload, device) {
    await this.#begin(device, async () => {
      await this.#take(upload);
      upload.entry.isEnded = false; // another tab may have begun to finish it
      return upload;
    });
  }

  /** Send the rest of one that was interrupted, and have it completed. */
  async finishLeft(upload) {
    await this.#workOn(upload, async () => {
      await upload.end(Math.round(upload.stored.milliseconds + upload.waiting.milliseconds));
      this.#listen(upload);
      this.#enqueue(upload);
    });
  }

  /** Have it completed without what the service refuses. */
  async finishShort(upload) {
    await this.#workOn(upload, async () => {
      await upload.leaveOutTheRest();
      this.#enqueue(upload);
    });
  }

  /** Send all of it as a new recording, where the service takes no more into the first. */
  async sendAnew(upload) {
    await this.#workOn(upload, async () => {
      await this.#outbox.put(await openedAnew(this.api, upload.entry));
      this.#forget(upload);
      await this.#leftovers.find(upload.entry.key, await this.#project());
    });
  }

  /** Delete it, here and on the server. */
  async discard(upload) {
    await this.#workOn(upload, async () => {
      await this.api.send("DELETE", `/v1/recordings/${upload.entry.recordingId}`).catch((error) => {
        if (error.status !== 404) throw error; // it is gone already
      });
      await this.#outbox?.remove(upload.entry.key);
      this.#forget(upload);
    });
  }

  /** Upload files, one after another. */
  async addFiles(files) {
    await this.#ready;
    this.problems.tell(null);
    for (const file of files) if (!this.#ended.signal.aborted) await this.problems.ofAction(() => this.#addFile(file));
  }

  async #addFile(file) {
    const of = { name: file.name, mimeType: file.type, sizeBytes: file.size };
    const entry = await newFileEntry(this.api, { projectId: await this.#project(), ...of, file });
    const upload = this.#uploadOf(entry, new WholeFile(entry, file));
    upload.release = await taken(entry.key);
    upload.hasRoom = (await this.#outbox?.putWithFile(entry, file)) ?? false;
    this.#show(upload);
    this.#enqueue(upload);
  }

  async #restoreAll() {
    await this.problems.ofAction(async () => {
      const projectId = await patiently(() => this.#project(), this.problems.patience);
      await this.#leftovers?.findAll(projectId, (key) => this.uploads.some((upload) => upload.entry.key === key));
    });
    this.isRestored = true;
    this.#changed();
  }

  /** Show what was left, and go on by itself with what only has to be sent. */
  #found(upload) {
    this.#show(upload);
    if (!upload.entry.isEnded || upload.state === "refused") return upload.release();
    if (upload.entry.kind === "microphone") this.#listen(upload);
    this.#enqueue(upload);
  }

  /** The project of the key. Throws ApiError. */
  async #project() {
    this.#projectId ??= (await this.api.get("/v1/keys/current")).project_id;
    return this.#projectId;
  }

  async #begin(device, opened) {
    if (this.isStarting || this.session) return;
    this.isStarting = true;
    this.problems.tell(null);
    await this.problems.ofAction(async () => {
      await this.#ready;
      if (this.#outbox === null) throw new Error("This browser lets the page store nothing, so nothing is safe in it.");
      navigator.storage?.persist?.().catch(() => {}); // a browser that will not may drop what it has when its disk is full
      const microphone = await Microphone.open(device);
      let upload;
      try {
        this.#ended.signal.throwIfAborted();
        upload = await opened(microphone);
        this.#recordInto(upload, microphone);
      } catch (error) {
        microphone.close();
        upload?.release();
        throw error;
      }
    });
    this.isStarting = false;
    this.#changed();
  }

  #recordInto(upload, microphone) {
    this.#ended.signal.throwIfAborted();
    const session = new Session(upload, microphone, (one) => this.#sessionEnded(one));
    session.start();
    this.session = session;
    this.#listen(upload);
    upload.run();
  }

  async #sessionEnded({ upload, isFinishing, milliseconds }) {
    this.session = null;
    if (this.#ended.signal.aborted) return;
    await this.problems.ofAction(() => (isFinishing ? upload.end(milliseconds) : this.#interrupted(upload)));
  }

  /** The microphone is gone: it is offered to go on or to finish, as after a crash. */
  async #interrupted(upload) {
    this.#forget(upload);
    const again = Object.assign(this.#uploadOf(upload.entry, upload.source), { hasRoom: upload.hasRoom });
    await again.save();
    this.#show(again);
    const kept = again.hasRoom ? "safe" : "in this tab alone";
    this.problems.tell(`The microphone is gone. What was recorded is ${kept}: go on with another one, or finish.`);
  }

  /** Throws AbortError if the person has signed out meanwhile: then it is left behind. */
  #show(upload) {
    if (this.#ended.signal.aborted) upload.release();
    this.#ended.signal.throwIfAborted();
    this.uploads.unshift(upload);
  }

  #uploadOf(entry, source) {
    const onChange = () => this.#changed();
    return new Upload(entry, source, { api: this.api, outbox: this.#outbox, onChange });
  }

  #enqueue(upload) {
    upload.state = "sending";
    this.#queue = this.#queue.then(() => upload.run());
  }

  #forget(upload) {
    upload.stop();
    if (this.listener?.recordingId === upload.entry.recordingId) {
      this.listener.stop();
      this.listener = null;
    }
    this.uploads = this.uploads.filter((one) => one !== upload);
  }

  /** Throws Error while somebody works on it, or if it is done. */
  async #take(upload) {
    if (await upload.take()) return;
    this.#forget(upload);
    throw new Error("It was finished or discarded in another tab.");
  }

  async #workOn(upload, action) {
    this.problems.tell(null);
    await this.problems.ofAction(async () => {
      await this.#take(upload);
      await action().catch((error) => {
        upload.release();
        throw error;
      });
    });
  }

  /** To one recording at a time: a browser has six connections to a server. */
  #listen(upload) {
    this.listener?.stop();
    this.listener = new Listener(this.api, upload.entry.recordingId, () => this.#changed());
  }

  #tick() {
    if (this.#app.api !== this.api) return this.close();
    const { session, isShown } = this;
    showOnAir(session && !isShown ? `● Recording ${duration(session.milliseconds)}` : null);
    if (!session) return;
    session.listen();
    if (session.isToEnd && !session.isFinishing) {
      session.finish();
      this.problems.tell(session.upload.problem ?? "A recording may take no longer. It was finished; begin another one.");
    }
    this.#changed();
  }

  #changed() {
    this.#app.update();
  }
}

function isUnsent(upload) {
  return upload.state === "open" || upload.state === "sending" || upload.isUnsafe;
}

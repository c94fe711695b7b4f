/** The service's public HTTP API, called with the key of who is signed in. */

/** @import { ErrorAnswer } from "./answers.js" */

/**
 * @typedef {{id: string | null, event: string, data: string | null}} ServerEvent
 * @typedef {{body?: BodyInit, headers?: Record<string, string>, signal?: AbortSignal}} Options
 * @typedef {object} Following
 * @property {(event: ServerEvent & {data: string}) => unknown} onEvent
 * @property {(isLost: boolean) => void} [onLost]
 * @property {(id: string) => void} [onPlace]
 * @property {AbortSignal} signal
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 35_000;

/** What the service answered instead of what was asked for: its own sentence, or that it cannot be reached. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} type
   * @param {string} message
   * @param {ErrorAnswer} details
   */
  constructor(status, type, message, details = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.details = details;
  }

  /** Whether asking again would change nothing. */
  get isFinal() {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }

  /** Whether the key lacks a scope. */
  get isForbidden() {
    return this.status === 403;
  }

  /** Whether the same request may succeed a moment later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** @param {Response} answer */
  static async of(answer) {
    /** @type {ErrorAnswer} */
    const error = await answer.json().then((body) => body.error ?? {}, () => ({}));
    const message = error.message ?? `The service answered ${answer.status}.`;
    return new ApiError(answer.status, error.type ?? "unknown", message, error);
  }

  static unreachable() {
    return new ApiError(0, "unreachable", "The service cannot be reached.");
  }
}

export class Api {
  #key;
  #onUnauthorized;

  /** @param {string} key @param {{onUnauthorized?: () => void}} options */
  constructor(key, { onUnauthorized = () => {} } = {}) {
    this.#key = key;
    this.#onUnauthorized = onUnauthorized;
  }

  /**
   * The JSON at a path. Throws ApiError.
   * @param {string} path
   * @param {{signal?: AbortSignal}} options
   */
  async get(path, { signal } = {}) {
    const answer = await this.request("GET", path, { signal });
    return reached(answer.json());
  }

  /**
   * The JSON that is answered, or null where there is none. Throws ApiError.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {{signal?: AbortSignal}} options
   */
  async send(method, path, body, { signal } = {}) {
    const answer = await this.request(method, path, { body: body === undefined ? undefined : JSON.stringify(body), signal });
    return answer.status === 204 ? null : reached(answer.json());
  }

  /**
   * The answer itself, if it is a success. Throws ApiError; an AbortError if the signal was given.
   * @param {string} method
   * @param {string} path
   * @param {Options} options
   */
  async request(method, path, { body, headers = {}, signal } = {}) {
    /** @type {Record<string, string>} */
    const all = { Authorization: `Bearer ${this.#key}`, ...headers };
    if (typeof body === "string") all["Content-Type"] = "application/json";
    const answer = await reached(fetch(path, { method, body, headers: all, signal }));
    if (answer.status === 401) this.#onUnauthorized();
    if (!answer.ok) throw await ApiError.of(answer);
    return answer;
  }

  /**
   * Follow server-sent events until the stream is over, the signal is given, or the service refuses (throws ApiError).
   * A connection that breaks is taken up again where it was: no event is missed or told twice.
   * `onEvent({id, event, data})`: data is the text. Where it returns true, the stream is over.
   * `onLost(isLost)`: whether there is no connection at the moment.
   * `onPlace(id)`: what a later call is given as `lastEventId`, to go on from here.
   * @param {string} path
   * @param {Following & {lastEventId?: string | null}} options
   */
  async follow(path, { onEvent, onLost = () => {}, onPlace = () => {}, signal, lastEventId = null }) {
    const told = { place: lastEventId, isOver: false, wait: FIRST_WAIT_MS };
    while (!signal.aborted) {
      try {
        await this.#listen(path, told, { onEvent, onLost, onPlace, signal });
        if (told.isOver) return;
      } catch (error) {
        const isOfConnection = error instanceof ApiError ? !error.isFinal : isAbort(error);
        if (!isOfConnection) throw error;
      }
      if (signal.aborted) return;
      onLost(true);
      await pause(told.wait * (0.5 + Math.random()), signal);
      told.wait = Math.min(2 * told.wait, LONGEST_WAIT_MS);
    }
  }

  /**
   * One connection, until it ends, breaks, or is silent for longer than the service's signs of life are apart.
   * @param {string} path
   * @param {{place: string | null, isOver: boolean, wait: number}} told
   * @param {Required<Following>} options
   */
  async #listen(path, told, { onEvent, onLost, onPlace, signal }) {
    const connection = new AbortController();
    const cut = () => connection.abort();
    let silence = setTimeout(cut, SILENCE_MS);
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(cut, SILENCE_MS);
    };
    addEventListener("offline", cut);
    try {
      const place = told.place === null ? null : { "Last-Event-ID": told.place };
      const headers = { Accept: "text/event-stream", ...place };
      const answer = await this.request("GET", path, { headers, signal: AbortSignal.any([signal, connection.signal]) });
      told.isOver = answer.status === 204;
      if (told.isOver || answer.body === null) return;
      onLost(false);
      for await (const event of serverSentEvents(answer.body, alive)) {
        told.wait = FIRST_WAIT_MS;
        told.isOver = event.data !== null && onEvent({ ...event, data: event.data }) === true;
        if (event.id !== null) onPlace((told.place = event.id));
        if (told.isOver) return;
      }
    } finally {
      clearTimeout(silence);
      removeEventListener("offline", cut);
    }
  }
}

/**
 * The same path on this page's origin, whatever name the service gives itself in its URLs.
 * @param {string} url
 */
export function here(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

/**
 * The events of a stream (the HTML standard, 9.2.6). `data` is null where there is only an id. `alive` is called for
 * every piece that comes, also for those that tell nothing.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 */
export async function* serverSentEvents(body, alive = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = nothingYet();
  try {
    for (;;) {
      const { done, value } = await reached(reader.read());
      if (done) return;
      alive();
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (event.data !== null || event.id !== null) yield event;
          event = nothingYet();
          continue;
        }
        const [name, text] = field(line.replace(/\r$/, ""));
        if (name === "data") event.data = event.data === null ? text : `${event.data}\n${text}`;
        else if (name === "id" || name === "event") event[name] = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // of a connection that is broken there is nothing to cancel
  }
}

/**
 * The name and the value of a line.
 * @param {string} line
 */
function field(line) {
  const end = line.indexOf(":");
  return end < 0 ? [line, ""] : [line.slice(0, end), line.slice(end + (line[end + 1] === " " ? 2 : 1))];
}

/** @returns {ServerEvent} */
function nothingYet() {
  return { id: null, event: "message", data: null };
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal] ends it early
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}

/**
 * What is awaited of the network. Throws ApiError where the service cannot be reached; an AbortError.
 * @template T
 * @param {Promise<T>} answer
 */
export async function reached(answer) {
  try {
    return await answer;
  } catch (error) {
    throw isAbort(error) ? error : ApiError.unreachable();
  }
}

/**
 * That of an ApiError; null of anything else that was thrown.
 * @param {unknown} error
 */
export function statusOf(error) {
  return error instanceof ApiError ? error.status : null;
}

/** @param {unknown} error */
function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

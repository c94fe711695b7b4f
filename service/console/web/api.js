/** The service's public HTTP API, called with the key of who is signed in. */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 35_000;

/** What the service answered instead of what was asked for: its own sentence, or that it cannot be reached. */
export class ApiError extends Error {
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

  static async of(answer) {
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

  constructor(key, { onUnauthorized = () => {} } = {}) {
    this.#key = key;
    this.#onUnauthorized = onUnauthorized;
  }

  /** The JSON at a path. Throws ApiError. */
  async get(path, { signal } = {}) {
    const answer = await this.request("GET", path, { signal });
    return reached(answer.json());
  }

  /** The JSON that is answered, or null where there is none. Throws ApiError. */
  async send(method, path, body, { signal } = {}) {
    const answer = await this.request(method, path, { body: body === undefined ? undefined : JSON.stringify(body), signal });
    return answer.status === 204 ? null : reached(answer.json());
  }

  /** The answer itself, if it is a success. Throws ApiError; an AbortError if the signal was given. */
  async request(method, path, { body, headers = {}, signal } = {}) {
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
   */
  async follow(path, { onEvent, onLost = () => {}, onPlace = () => {}, signal, lastEventId = null }) {
    const told = { place: lastEventId, isOver: false, wait: FIRST_WAIT_MS };
    while (!signal.aborted) {
      try {
        await this.#listen(path, told, { onEvent, onLost, onPlace, signal });
        if (told.isOver) return;
      } catch (error) {
        const isOfConnection = error instanceof ApiError ? !error.isFinal : error.name === "AbortError";
        if (!isOfConnection) throw error;
      }
      if (signal.aborted) return;
      onLost(true);
      await pause(told.wait * (0.5 + Math.random()), signal);
      told.wait = Math.min(2 * told.wait, LONGEST_WAIT_MS);
    }
  }

  /** One connection, until it ends, breaks, or is silent for longer than the service's signs of life are apart. */
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
      const headers = { Accept: "text/event-stream", ...(told.place === null ? {} : { "Last-Event-ID": told.place }) };
      const answer = await this.request("GET", path, { headers, signal: AbortSignal.any([signal, connection.signal]) });
      told.isOver = answer.status === 204;
      if (told.isOver) return;
      onLost(false);
      for await (const event of serverSentEvents(answer.body, alive)) {
        told.wait = FIRST_WAIT_MS;
        told.isOver = event.data !== null && onEvent(event) === true;
        if (event.id !== null) onPlace((told.place = event.id));
        if (told.isOver) return;
      }
    } finally {
      clearTimeout(silence);
      removeEventListener("offline", cut);
    }
  }
}

/** The same path on this page's origin, whatever name the service gives itself in its URLs. */
export function here(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

/**
 * The events of a stream (the HTML standard, 9.2.6). `data` is null where there is only an id. `alive` is called for
 * every piece that comes, also for those that tell nothing.
 */
export async function* serverSentEvents(body, alive = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { id: null, event: "message", data: null };
  try {
    for (;;) {
      const { done, value } = await reached(reader.read());
      if (done) return;
      alive();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data !== null || event.id !== null) yield event;
          event = { id: null, event: "message", data: null };
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line.replace(/\r$/, ""));
        if (name === "data") event.data = event.data === null ? text : `${event.data}\n${text}`;
        else if (name === "id" || name === "event") event[name] = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // of a connection that is broken there is nothing to cancel
  }
}

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

/** What is awaited of the network. Throws ApiError where the service cannot be reached; an AbortError. */
export async function reached(answer) {
  try {
    return await answer;
  } catch (error) {
    throw error.name === "AbortError" ? error : ApiError.unreachable();
  }
}

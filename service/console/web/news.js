/** Hears of what happens in the project, to have a view loaded anew that is not kept true event by event. */

import { ApiError, pause } from "./api.js";
import { TYPES as OF_RECORDINGS } from "./views/recordings_list.js";

const AT_MOST_EVERY_MS = 1000;

const OF_SESSIONS = ["opened", "updated", "ended"].map((name) => `tapedeck.ambient_session.${name}.v1`);

/**
 * Call `onNews()` whenever something has happened to ambient sessions or their recordings, until the signal is given,
 * and whenever something may have. `concerns(message)`: whether an event does. What happens in quick succession is
 * told together. A tab that nobody sees holds no connection, and has news once it is seen again.
 * @param {import("./api.js").Api} api
 * @param {{concerns: (message: import("./answers.d.ts").Message) => boolean, onNews: () => void, signal: AbortSignal}} options
 */
export function followSessions(api, { concerns, onNews, signal }) {
  /** @type {AbortController | null} */
  let connection = null;
  let isDue = false;

  const tell = async () => {
    if (isDue) return;
    isDue = true;
    await pause(AT_MOST_EVERY_MS, signal);
    isDue = false;
    if (!signal.aborted) onNews();
  };

  const listen = async () => {
    const begun = (connection = new AbortController());
    const ended = AbortSignal.any([signal, begun.signal]);
    try {
      await api.follow(`/v1/events?types=${[...OF_SESSIONS, ...OF_RECORDINGS]}`, {
        signal: ended,
        onLost: () => void tell(), // nobody knows what happens meanwhile; and what is loaded says what is wrong
        onEvent: ({ data }) => void (concerns(JSON.parse(data)) && tell()),
      });
    } catch (error) {
      // What the service refuses here, it refuses to the view's own requests, which tell it.
      if (!ended.aborted && !(error instanceof ApiError)) throw error;
    }
  };

  const seenOrNot = () => {
    if (document.hidden) connection?.abort();
    else if (connection === null || connection.signal.aborted) listen();
  };

  document.addEventListener("visibilitychange", seenOrNot, { signal });
  if (!document.hidden) listen();
}

/** What is said in one recording, and how far it has come, as the service tells it. */

export class Listener {
  #ended = new AbortController();

  constructor(api, recordingId, onChange) {
    this.recordingId = recordingId;
    this.status = null;
    this.segments = [];
    this.isLost = false;
    this.isOver = false;
    this.isAllowed = true;
    this.problem = null;
    const onLost = (isLost) => {
      this.isLost = isLost;
      onChange();
    };
    const onEvent = (event) => {
      this.#take(event.event, JSON.parse(event.data));
      onChange();
      return this.isOver;
    };
    api.follow(`/v1/recordings/${recordingId}/live`, { onEvent, onLost, signal: this.#ended.signal }).catch((error) => {
      if (error.status === 403) this.isAllowed = false;
      else this.problem = error.message;
      onChange();
    });
  }

  stop() {
    this.#ended.abort();
  }

  #take(event, data) {
    if (event === "progress") this.status = data.status;
    else if (event === "segment") this.segments[data.index] = data;
    else if (event === "withdrawn") this.segments.length = data.from_index;
    else if (event === "transcript") this.#end("completed");
    else if (event === "failed") this.#end("failed", data.failure?.message ?? "The recording failed.");
    else if (event === "deleted") this.#end(null, "The recording was deleted.");
  }

  #end(status, problem = null) {
    this.status = status;
    this.problem = problem;
    this.isOver = true;
  }
}

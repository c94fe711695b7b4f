// Bota's API from a page: the read API, uploads of recordings in the making and of files, downloads.

// Resolves with what the page can read of an answer; rejects as `fetch` does where the browser refuses.
export async function call(settings, method, path, body, headers = {}) {
  const response = await fetch(path.startsWith("http") ? path : settings.url + path, {
    method,
    headers: {
      ...(settings.key ? { Authorization: `Bearer ${settings.key}` } : {}),
      ...(body ? { "Content-Type": "application/json" } : {}),
      ...headers,
    },
    body: body ? JSON.stringify(body) : undefined,
  });
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

async function json(...given) {
  const { status, text } = await call(...given);
  if (status >= 300) throw new Error(`${status} ${text}`);
  return JSON.parse(text);
}

// Listens to a recording until an event of this kind, or to the end. An EventSource cannot send a key.
export async function listen(settings, id, until, lastEventId) {
  const response = await fetch(`${settings.url}/v1/recordings/${id}/live`, {
    headers: {
      Authorization: `Bearer ${settings.key}`,
      ...(lastEventId ? { "Last-Event-ID": lastEventId } : {}),
    },
  });
  const events = [];
  if (response.status !== 200) return { status: response.status, events };
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return { status: 200, events };
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks.filter((block) => block.includes("data: "))) {
      const event = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s)));
      events.push({ ...event, data: JSON.parse(event.data) });
      if (event.event === until) {
        await reader.cancel();
        return { status: 200, events };
      }
    }
  }
}

// Streams what the microphone hears as WebM/Opus while it is recorded, each piece to the recording's own URL.
export async function stream(settings, milliseconds) {
  const recording = await json(settings, "POST", "/v1/recordings", {
    streaming: true,
    codec: "webm",
    end_user_id: settings.endUserId,
    name: "from a page",
  });
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(microphone, { mimeType: "audio/webm;codecs=opus" });
  const uploads = [];
  let whileRecording = 0;
  recorder.ondataavailable = ({ data }) => {
    if (data.size === 0) return;
    const part = uploads.length + 1;
    const url = recording.chunk_upload_url_template.replace("{part}", part).replace("%7Bpart%7D", part);
    uploads.push(
      fetch(url, { method: "PUT", body: data, headers: { "Content-Type": data.type } }).then((response) => {
        if (!response.ok) throw new Error(`chunk ${part}: ${response.status}`);
        if (recorder.state === "recording") whileRecording += 1;
        return response.headers.get("ETag");
      }),
    );
  };
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(500);
  const began = performance.now();
  while (performance.now() - began < milliseconds) await new Promise((resolve) => setTimeout(resolve, 50));
  recorder.stop();
  await stopped;
  microphone.getTracks().forEach((track) => track.stop());
  const etags = await Promise.all(uploads);
  const finalized = await json(settings, "POST", `/v1/recordings/${recording.id}/finalize`, {
    total_chunks: etags.length,
    final_duration_ms: milliseconds,
  });
  return { id: recording.id, etags, whileRecording, finalized };
}

// A file as one PUT, with the progress that a page shows; resolves with the progress events' numbers and the answers.
export async function uploadFile(settings, base64) {
  const file = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "audio/wav" });
  const recording = await json(settings, "POST", "/v1/recordings", { end_user_id: settings.endUserId });
  const offered = await json(settings, "POST", `/v1/recordings/${recording.id}/upload-url`, {
    content_type: file.type,
    file_size_bytes: file.size,
  });
  const progress = [];
  const status = await new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = ({ loaded, total }) => progress.push([loaded, total]);
    request.onload = () => resolve(request.status);
    request.onerror = () => reject(new Error("the upload was refused"));
    request.open("PUT", offered.upload_url);
    request.setRequestHeader("Content-Type", file.type);
    request.send(file);
  });
  const completed = await json(settings, "POST", `/v1/recordings/${recording.id}/upload-complete`, {});
  return { id: recording.id, status, progress, completed, size: file.size };
}

// Dragon's calls from a page that was given a token: an ambient session, one chunk in a form, finalize.

export async function upload(settings, base64) {
  const { url, token, named } = settings;
  const answers = [];
  const send = async (method, path, body, headers = {}) => {
    const response = await fetch(url + path, { method, body, headers: { Authorization: `Bearer ${token}`, ...headers } });
    answers.push({
      status: response.status,
      text: await response.text(),
      traceId: response.headers.get("x-correlation-id"),
      askedTraceId: headers["x-correlation-id"],
    });
  };
  const json = { "Content-Type": "application/json" };
  const traced = () => ({ "x-correlation-id": crypto.randomUUID() });
  await send(
    "PUT",
    `/ambient-sessions?api-version=2&customerId=${named.customerId}`,
    JSON.stringify(named),
    json,
  );
  const form = new FormData();
  form.append("metadata", JSON.stringify({ ...named, recordingId: 1, chunkId: 1, isLast: true }));
  form.append("content", new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]), "chunk.bin");
  await send("PUT", `/audio/storeChunk?api-version=2025-07-15&customerId=${named.customerId}`, form, traced());
  await send(
    "POST",
    "/audio/finalizeUpload?api-version=2025-07-15",
    JSON.stringify({ ...named, recordingId: 1, totalChunks: 1 }),
    { ...json, ...traced() },
  );
  return answers;
}

// A partner's integration as it is: the platform's own fetch, FormData and Blob, and one base URL.
// Usage: node dragon_partner.mjs <settings as JSON>; prints each call's status and body, a line each.
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";

const settings = JSON.parse(process.argv[2]);
const { baseUrl, dragon, file, correlationId, backwards } = settings;
const named = {
  correlationId,
  customerId: dragon.customer_id,
  partnerId: dragon.partner_id,
  productId: dragon.product_id,
};

const granted = await fetch(dragon.token_url, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials",
    client_id: dragon.client_id,
    client_secret: dragon.client_secret,
  }),
});
const { access_token: token } = await granted.json();
const authorization = { Authorization: `Bearer ${token}` };

async function call(method, path, body, headers = {}) {
  const answer = await fetch(baseUrl + path, { method, body, headers: { ...authorization, ...headers } });
  console.log(answer.status, await answer.text());
}

async function storeChunk(chunkId, bytes, isLast) {
  const form = new FormData();
  form.append("metadata", JSON.stringify({ ...named, recordingId: 1, chunkId, isLast }));
  if (bytes) form.append("content", new Blob([bytes], { type: "application/octet-stream" }), "chunk.bin");
  const path = `/audio/storeChunk?api-version=2025-07-15&customerId=${named.customerId}`;
  await call("PUT", path, form, { "x-correlation-id": randomUUID() });
}

const json = { "Content-Type": "application/json" };
await call(
  "PUT",
  `/ambient-sessions?api-version=2&customerId=${named.customerId}`,
  JSON.stringify({ ...named, externalUserId: "dr-1", data: JSON.stringify({ visit: 7 }) }),
  json,
);

const audio = await readFile(file);
const slices = [];
for (let start = 0; start < audio.length; start += 64 * 1024) slices.push(audio.subarray(start, start + 64 * 1024));
const calls = [
  () => storeChunk(1, null, false),
  ...slices.map((slice, at) => () => storeChunk(at + 2, slice, at === slices.length - 1)),
  () =>
    call(
      "POST",
      "/audio/finalizeUpload?api-version=2025-07-15",
      JSON.stringify({ ...named, recordingId: 1, totalChunks: slices.length + 1 }),
      { ...json, "x-correlation-id": randomUUID() },
    ),
];
for (const one of backwards ? calls.reverse() : calls) await one();

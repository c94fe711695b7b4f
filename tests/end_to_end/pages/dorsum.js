// Dorsum's client as the vendor's guide has it: the microphone at 16 kHz, buffers of exactly 30 seconds, JSON numbers.
const SAMPLE_RATE = 16000;
const CHUNK_DURATION_MS = 30000;
const CHUNK_SIZE = SAMPLE_RATE * (CHUNK_DURATION_MS / 1000);

function processBuffer(buffer) {
  if (buffer.length >= CHUNK_SIZE) {
    return { chunk: buffer.slice(0, CHUNK_SIZE), remainingBuffer: buffer.slice(CHUNK_SIZE) };
  }
  return { chunk: null, remainingBuffer: buffer };
}

export async function sendAudioChunk(settings, chunk, sessionId, isFinal = false, previousTranscript = "") {
  if (chunk.length !== CHUNK_SIZE && !isFinal) {
    throw new Error(`Chunk must be exactly ${CHUNK_SIZE} samples (30 seconds)`);
  }
  const response = await fetch(`${settings.url}/api/consultations/transcribe`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Api-Key": settings.apiKey, "Client-Key": settings.clientKey },
    body: JSON.stringify({
      session_id: sessionId,
      chunk,
      is_final: isFinal,
      previous_transcript: previousTranscript,
      language: "en",
      output_format: "text",
    }),
  });
  if (!response.ok) throw new Error(`Failed to send chunk: ${response.status} ${await response.text()}`);
  return await response.json();
}

// Records so many seconds and resolves with the service's answers, the final one last.
export async function record(settings, seconds) {
  const sessionId = crypto.randomUUID();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
  const context = new AudioContext({ sampleRate: SAMPLE_RATE });
  const source = context.createMediaStreamSource(stream);
  const processor = context.createScriptProcessor(4096, 1, 1);
  const answers = [];
  let buffer = [];
  let left = seconds * SAMPLE_RATE;
  let transcript = "";
  let sending = Promise.resolve();
  const send = (chunk, isFinal) => {
    sending = sending.then(async () => {
      const answer = await sendAudioChunk(settings, chunk, sessionId, isFinal, transcript);
      transcript = `${transcript} ${answer.transcription ?? ""}`.trim();
      answers.push({ ...answer, samples: chunk.length });
    });
  };
  await new Promise((resolve) => {
    processor.onaudioprocess = (event) => {
      const heard = event.inputBuffer.getChannelData(0).subarray(0, Math.max(0, left));
      left -= heard.length;
      buffer.push(...heard);
      const { chunk, remainingBuffer } = processBuffer(buffer);
      buffer = remainingBuffer;
      if (chunk) send(chunk, false);
      if (left <= 0) resolve();
    };
    source.connect(processor);
    processor.connect(context.destination);
  });
  processor.disconnect();
  source.disconnect();
  stream.getTracks().forEach((track) => track.stop());
  await context.close();
  send(buffer, true);
  await sending;
  return answers;
}

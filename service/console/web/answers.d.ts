/** What the service answers, as far as the modules that are checked use it, for TypeScript's checker. */

export interface ErrorAnswer {
  type?: string;
  message?: string;
  missing_chunks?: number[];
}

export interface KeyAnswer {
  kind: string;
  scopes: string[];
  project_id: string;
}

export interface Recording {
  id: string;
  name: string | null;
  recorded_at: string | null;
  created_at: string;
}

/** A recording in a list. */
export interface ListedRecording extends Recording {
  status: string;
}

export interface RecordingsPage {
  data: ListedRecording[];
  next_cursor: string | null;
  has_more: boolean;
}

/** A message of `GET /v1/events` about a recording. */
export interface RecordingMessage {
  type: string;
  data: { recording_id: string };
}

/** One about anything. */
export interface Message {
  type: string;
  data: { client_ids: Record<string, string> };
}

/** What the live stream tells in its event `progress`. */
export interface Progress {
  status: string;
  chunks_stored: number;
  bytes_stored: number;
  total_chunks?: number;
  audio_ms?: number;
  recognized_ms?: number;
  ready_at?: string;
}

/** Times are in seconds. */
export interface Word {
  text: string;
  start: number;
  end: number;
}

export interface Segment extends Word {
  index: number;
  words?: Word[];
}

export interface NewRecording {
  id: string;
  expires_at: string;
  max_chunks: number;
  chunk_upload_url_template: string;
}

export interface HeldChunk {
  number: number;
  size_bytes: number;
  sha256: string;
}

export interface ChunkList {
  data: HeldChunk[];
  chunk_upload_url_template: string | null;
}

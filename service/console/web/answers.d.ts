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

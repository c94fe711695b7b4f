"""What Dorsum's clients are answered, field by field."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from service.dialects.http.notes import NoteFields, VersionAnswer


class ConsultationErrorAnswer(BaseModel):
    """(D) Of every error. `code` is the HTTP status."""

    message: str
    code: int


class ChunkWordsAnswer(BaseModel):
    """(S) `transcription`: the words of this chunk alone."""

    message: Literal["Chunk received successfully"] = "Chunk received successfully"
    code: Literal[200] = 200
    transcription: str


class NoteAnswer(BaseModel):
    """(S) `clinical_notes` is text, or one JSON object as text, as `output_format` asked."""

    message: Literal["Clinical note generated."] = "Clinical note generated."
    code: Literal[200] = 200
    task_id: str
    clinical_notes: str
    full_transcript: str


class TranscribeAnswer(RootModel[ChunkWordsAnswer | NoteAnswer]):
    """The words of the chunk, or after the final chunk everything."""


class SessionNoteAnswer(NoteFields):
    """(D) The note of a session, or one of its versions."""

    message: Literal["Clinical note found."] = "Clinical note found."
    code: Literal[200] = 200
    session_id: str


class SessionNoteVersionsAnswer(BaseModel):
    """(D) The versions of the note of a session, oldest first."""

    message: Literal["Clinical note found."] = "Clinical note found."
    code: Literal[200] = 200
    session_id: str
    versions: list[VersionAnswer]


class StoredChunkAnswer(BaseModel):
    """(D) A chunk as 16-bit PCM, two bytes a sample."""

    number: int
    size_bytes: int
    sha256: str
    stored_at: str


class ChunksAnswer(BaseModel):
    """(D) The chunks that are stored of a session."""

    message: Literal["Session found."] = "Session found."
    code: Literal[200] = 200
    session_id: str
    chunks: list[StoredChunkAnswer]


class RetriedAnswer(BaseModel):
    """(D) The session is processed again."""

    message: Literal["Session is processed again."] = "Session is processed again."
    code: Literal[202] = 202
    session_id: str


class FailureAnswer(BaseModel):
    """(D) Why a session failed: at which stage, a code, a sentence."""

    stage: str
    reason: str
    message: str


class ConsultationAnswer(BaseModel):
    """(D) How far a session has come. `task_id`: that of the final answer, once the final chunk is stored."""

    message: Literal["Session found."] = "Session found."
    code: Literal[200] = 200
    session_id: str
    status: Literal["recording", "processing", "completed", "failed"]
    chunks_received: int
    transcript: str
    task_id: str | None
    failure: Annotated[FailureAnswer | None, Field(exclude_if=lambda failure: failure is None)] = None
    """Only there if the session has failed."""

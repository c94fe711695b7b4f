"""A patient client of tapedeck's recordings API, as the command line uses it."""

from service.client.answers import (
    Chunk,
    ChunkListing,
    DownloadLink,
    Failure,
    HistoryEntry,
    RecognitionProgress,
    Recording,
    Transcription,
)
from service.client.api import RecordingsClient
from service.client.errors import (
    ApiError,
    CannotResume,
    ClientFailure,
    CorruptDownload,
    FileChanged,
    UnexpectedAnswer,
    Unreachable,
)

__all__ = [
    "ApiError",
    "CannotResume",
    "Chunk",
    "ChunkListing",
    "ClientFailure",
    "CorruptDownload",
    "DownloadLink",
    "Failure",
    "FileChanged",
    "HistoryEntry",
    "RecognitionProgress",
    "Recording",
    "RecordingsClient",
    "Transcription",
    "UnexpectedAnswer",
    "Unreachable",
]

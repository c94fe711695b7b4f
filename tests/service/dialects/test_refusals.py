"""Every refusal that comes of what a recording has come to names the calls that help, and these exist."""

import re
from collections.abc import Iterator

import orjson
import pytest

from domain import errors
from domain.events import Failed, Stage
from domain.summary import evolve_summary
from service.application.consultations import ProcessingFailed
from service.dialects.bota.errors import (
    ContentDiffers,
    TranscriptionFailed,
    UploadNotVerified,
    no_audio,
    not_uploaded,
)
from service.dialects.dragon.errors import NoSessionToReadBy
from service.dialects.http.signed_urls import SignatureRefused
from service.dialects.http.stored_chunks import ChunksErased, NoSuchChunk
from service.dialects.registry import DIALECTS
from service.generators.openapi import document
from tests.domain.histories import chunk, expired, failed, finalized, opened

COMMON = [
    errors.RecordingClosed(3, is_stitched=True),
    errors.RecordingClosed(3, is_stitched=False),
    errors.ChunkBeyondTotal(4, 3),
    errors.AlreadyFinalized(3),
    errors.RecordingExpired("2026-01-13T14:00:00+00:00"),
    errors.NotFailed(),
    errors.NotFailed((5,)),
    NoSuchChunk(7),
    ChunksErased(),
]


def summary(*events):
    folded = None
    for event in (opened(), chunk(1), *events):
        folded = evolve_summary(folded, event)
    return folded


BOTA = [
    *COMMON,
    errors.ChunkMismatch(missing=(7, 11), extra=()),
    errors.ChunkSizeDiffers(1, expected_bytes=9, arrived_bytes=4),
    SignatureRefused("The URL expired."),
    UploadNotVerified(),
    ContentDiffers("The file that arrived has 3 bytes, not 4."),
    TranscriptionFailed(failed(Stage.STITCH)),
    TranscriptionFailed(failed(Stage.TRANSCRIBE)),
    TranscriptionFailed(expired()),
    no_audio(summary()),
    no_audio(summary(finalized(1))),
    no_audio(summary(finalized(1), failed(Stage.STITCH))),
    no_audio(summary(expired())),
    not_uploaded(summary()),
    not_uploaded(summary(expired())),
]
DRAGON = [*COMMON, errors.RecordingNotFound(), NoSessionToReadBy()]
DORSUM = [
    errors.AlreadyFinalized(3),
    errors.RecordingExpired("2026-01-13T14:00:00+00:00"),
    errors.ChunkNumberOutOfRange(481, 480),
    errors.NotFailed(),
    NoSuchChunk(7),
    ChunksErased(),
    ProcessingFailed(),
]
CASES = [
    pytest.param(name, error, id=f"{name}-{type(error).__name__}-{number}")
    for name, refused in {"bota": BOTA, "dragon": DRAGON, "dorsum": DORSUM}.items()
    for number, error in enumerate(refused)
]


def sentence(name: str, error: Exception) -> str:
    (dialect,) = [dialect for dialect in DIALECTS if dialect.name == name]
    answer = dialect.api().errors.answer(error)
    assert answer is not None
    assert 400 <= answer.status <= 500
    body = orjson.loads(answer.body)
    told = body["message"] if "message" in body else body["error"]
    return told if isinstance(told, str) else told["message"]


def calls_in(told: str) -> Iterator[tuple[str | None, str]]:
    """Method, if one is named, and path: with parameters as the sentence spells them, or cut off at its beginning."""
    for method, path in re.findall(r"(?:\b(GET|PUT|POST) )?((?:…|/)[\w/{}-]*[\w}])", told):
        yield method or None, path


PATHS = {
    (method.upper(), re.sub(r"{\w+}", "{}", path))
    for path, methods in document()["paths"].items()
    for method in methods
}


@pytest.mark.parametrize(("name", "error"), CASES)
def test_a_refusal_names_calls_and_every_call_that_it_names_is_served(name, error):
    told = sentence(name, error)
    calls = list(calls_in(told))
    assert calls, told
    for method, path in calls:
        wanted = re.sub(r"{\w+}", "{}", path)
        assert any(
            (method is None or method == served_method)
            and (served == wanted or (wanted.startswith("…") and served.endswith(wanted[1:])))
            for served_method, served in PATHS
        ), (method, path, told)


@pytest.mark.parametrize(("name", "error"), CASES)
def test_a_refusal_is_made_of_whole_sentences_and_says_first_what_was_wrong(name, error):
    told = sentence(name, error)
    assert told.endswith(".")
    assert "None" not in told
    assert not re.match(r"(GET|PUT|POST|/)", told)


def test_a_failed_stitch_says_why_and_everything_that_can_be_done():
    told = sentence("bota", no_audio(summary(finalized(1), failed(Stage.STITCH))))
    assert told == (
        "The recording's stitching failed: Chunk 1 is not audio. GET /v1/recordings/{id}/chunks/{number} and GET "
        "/v1/recordings/{id}/chunks/all give the stored bytes. GET /v1/recordings/{id}/chunks has a URL to PUT other "
        "bytes to, POST /v1/recordings/{id}/upload-url one for a whole file, and POST /v1/recordings/{id}/retry then "
        "tries again."
    )


def test_a_later_stage_that_failed_only_needs_a_retry():
    broken = Failed(**vars(failed(Stage.TRANSCRIBE)))
    assert sentence("bota", TranscriptionFailed(broken)).endswith("POST /v1/recordings/{id}/retry tries again.")

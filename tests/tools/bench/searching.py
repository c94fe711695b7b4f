"""A search in 100 000 transcripts compared with one in 1 000: from the query's words to the text of the first page.

Index, status view and blobs are the real ones. They are filled directly, not by an engine.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from adapters.blobs.opening import open_store
from adapters.blobs.port import BlobStore
from adapters.event_log.log import EventLog
from adapters.event_log.mapper import RecordedEvent
from adapters.event_log.sqlite import SQLiteLogRecorder
from adapters.search.digests import Owner
from adapters.search.index import Changes, Indexed, SearchIndex
from adapters.summaries import SummaryStore
from domain.events import Transcribed
from service.application.queries import Queries
from service.application.recordings import Recordings
from service.application.searching import SearchQuery, TranscriptSearch
from tests.domain.histories import TRANSCRIBED_FACTS, opened
from tests.service.dialects.bota.spoken import transcript

SIZES = (1_000, 100_000)
ROUNDS = 40
PASSAGES = 2
WORDS = 25
"""In a passage."""

VOCABULARY = 20_000
"""A few of these words are in every other passage, most in hardly any, as in any language."""

RARE = 10
"""Recordings in which someone says "zebra"."""

BATCH = 5_000
LIMIT = 10
MOST = 3.0
OWNERS = {"one end user has them all": None, "many end users have 50 each": 50}
QUERIES = {
    "a common word": "w0",
    "a less common word": "w40",
    "a rare word": "zebra",
    "a sentence": "w0 w3 w20 w40 w500 zebra w4000",
    "among three recordings": "w0 w3",
}


@dataclass(frozen=True)
class Filled:
    """`some`: recordings of the end user that is asked for."""

    search: TranscriptSearch
    some: tuple[UUID, ...]


class UpToDate:
    """Nothing is recorded meanwhile, so no view is ever behind."""

    async def wait_for(self, _: int, *, seconds: float) -> None:
        assert seconds > 0


async def measure() -> None:
    print(f"A search in {SIZES[1]} transcripts : in {SIZES[0]}, up to the text of the first page")
    for owners, each_has in OWNERS.items():
        for query, ratio in (await ratios(each_has)).items():
            print(f"  {f'{owners}, {query}':<54} {ratio:.2f}   (at most {MOST:g})")


async def ratios(each_has: int | None) -> dict[str, float]:
    """For each query: the median time in the large index by that in the small one. They are asked in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened_here:
        filled = [_filled(Path(folder) / str(size), size, each_has, opened_here) for size in SIZES]
        found = {}
        for name, text in QUERIES.items():
            seconds: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                for index, taken in zip(filled, seconds, strict=True):
                    taken.append(await _seconds(index, text, among=name.startswith("among")))
            found[name] = statistics.median(seconds[1]) / statistics.median(seconds[0])
        return found


async def _seconds(filled: Filled, text: str, *, among: bool) -> float:
    query = SearchQuery("proj_1", "eu_0", text, LIMIT, filled.some if among else None)
    began = time.perf_counter()
    results = await filled.search.search(query)
    taken = time.perf_counter() - began
    assert results, f"nothing was found by {text!r}"
    return taken


def _filled(folder: Path, size: int, each_has: int | None, opened_here: ExitStack) -> Filled:
    """Every recording has one and the same stored text, whatever the index knows it by."""
    folder.mkdir()
    blobs = open_store((folder / "blobs").as_uri().replace("file:", "segments:", 1))
    blob = blobs.put_bytes("transcript-", transcript(*["some words"] * (PASSAGES + 1)).to_json())
    index, summaries = SearchIndex(folder / "search.sqlite3"), SummaryStore(folder / "views.sqlite3")
    for store in (index, summaries):
        opened_here.callback(store.close)
    heard = Transcribed(**TRANSCRIBED_FACTS | {"blob_key": blob.key, "sha256": blob.sha256})
    mine = []
    recordings = _recordings(size, each_has, heard.sha256)
    while batch := list(islice(recordings, BATCH)):
        after = index.position()
        index.apply(Changes(after + len(batch), batch), after=after)
        summaries.apply(_events(batch, heard, after=2 * after), after=2 * after)
        mine += [one.recording_id for one in batch if one.owner.end_user_id == "eu_0"]
    return Filled(_search(index, summaries, blobs, folder), (mine[0], mine[len(mine) // 2], mine[-1]))


def _recordings(size: int, each_has: int | None, transcript_sha256: str) -> Iterator[Indexed]:
    """Whoever is asked for has recordings all over the index, some of them with the rare word."""
    rng = np.random.default_rng(size)
    shares = 1 / (np.arange(VOCABULARY) + 5)
    users = 1 if each_has is None else size // each_has
    rare = set(np.linspace(0, size // users - 1, RARE, dtype=int) * users)
    for first in range(0, size, BATCH):
        count = min(BATCH, size - first)
        words = rng.choice(VOCABULARY, (count, PASSAGES, WORDS), p=shares / shares.sum())
        for number, spoken in enumerate(words, first):
            passages = [" ".join(f"w{word}" for word in passage) for passage in spoken]
            passages += ["zebra and w3"] if number in rare else []
            yield Indexed(uuid4(), transcript_sha256, Owner("proj_1", f"eu_{number % users}"), passages)


def _events(batch: Sequence[Indexed], heard: Transcribed, *, after: int) -> list[RecordedEvent]:
    events = []
    for number, one in enumerate(batch):
        first = opened(tenant_id=one.owner.project_id, end_user_id=one.owner.end_user_id)
        for version, event in enumerate((first, heard), 1):
            events.append(RecordedEvent(after + 2 * number + version, one.recording_id, version, event, None))
    return events


def _search(index: SearchIndex, summaries: SummaryStore, blobs: BlobStore, folder: Path) -> TranscriptSearch:
    log, up_to_date = EventLog(SQLiteLogRecorder(folder / "log.sqlite3")), UpToDate()
    queries = Queries(Recordings(log), log=log, summaries=summaries, projection=up_to_date, blobs=blobs)
    return TranscriptSearch(index, up_to_date, queries, log=log, blobs=blobs)

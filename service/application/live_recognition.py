"""Recognition of speech that a client is waiting for: before other work, and refused when too much waits."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from adapters.blobs.port import StoredBlob
from adapters.speech.opening import EngineSpec, build_engine
from adapters.speech.port import require_language
from adapters.speech.transcript import Transcript
from adapters.worker_processes import WorkerProcesses
from service.application.project_turns import Urgency
from service.application.session_speech import ChunkOrder, transcribe_chunk
from service.application.turns import Turns

CHUNK_TIMEOUT = timedelta(minutes=5)
"""For one chunk of half a minute, counted from when a worker is free for it."""


class TooMuchWaiting(Exception):
    """More speech is waiting to be recognized than the service accepts."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too much speech is waiting to be recognized; send the chunk again later.")
        self.retry_after_seconds = retry_after_seconds


MOST_PROJECTS_AT_ONCE = 4
"""So many projects may fill their part of the queue. Beyond that, each may have one place: nobody is kept out."""


class LiveRecognition:
    """A queue for `worker_count` workers.

    Of each project, at most `most_waiting` wait besides those being served.
    """

    def __init__(
        self,
        turns: Turns,
        workers: WorkerProcesses,
        *,
        worker_count: int,
        most_waiting: int,
        blob_store_url: str,
        engine: EngineSpec,
    ) -> None:
        """`turns`: at the `workers`."""
        self._turns = turns
        self._workers = workers
        self._worker_count = worker_count
        self._most = worker_count + most_waiting
        self._inside: Counter[str] = Counter()
        self._blob_store_url = blob_store_url
        self._spec = engine
        self._engine = build_engine(engine)

    def check_language(self, language: str) -> None:
        """Raises: UnsupportedLanguage, which lists the engine's languages."""
        require_language(language, self._engine)

    @contextmanager
    def place(self, project: str) -> Iterator[None]:
        """A place in the queue, held until the block ends. Raises: TooMuchWaiting."""
        all_inside = self._inside.total()
        most = self._most if all_inside < MOST_PROJECTS_AT_ONCE * self._most else 1
        if self._inside[project] >= most:
            # By then, about one request in the queue has been served: half a minute of speech takes a few seconds.
            raise TooMuchWaiting(retry_after_seconds=max(1, 5 * all_inside // self._worker_count // 2))
        self._inside[project] += 1
        try:
            yield
        finally:
            self._inside[project] -= 1
            if not self._inside[project]:
                del self._inside[project]

    async def transcribe_chunk(
        self, chunk_key: str, *, project: str, language: str, prefix: str
    ) -> tuple[StoredBlob, Transcript]:
        """The transcript of one chunk alone, stored under `prefix`. Only for callers that hold a place.

        Raises: EngineUnavailable, EngineRefused; WorkerError; StorageFull, StorageUnavailable, BlobNotFound.
        """
        order = ChunkOrder(
            blob_store_url=self._blob_store_url,
            chunk_key=chunk_key,
            engine=self._spec,
            language=language,
            prefix=prefix,
        )
        async with self._turns.turn(project, Urgency.LIVE) as turn:
            return await self._workers.run(
                transcribe_chunk,
                order,
                timeout=CHUNK_TIMEOUT,
                on_start=None if self._spec.works_elsewhere else turn.is_used_by,
            )

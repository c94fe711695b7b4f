"""The people and devices of a run: each uploads one recording in its own way, as clumsily as over real networks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from adapters.blobs.port import StorageFull, StorageUnavailable
from adapters.event_log.port import LogUnavailable
from domain import commands, errors
from domain.events import FinalizePolicy, RecordingKind
from domain.identity import recording_id
from domain.summary import RecordingSummary, Standing
from service.application.streams import Contended
from tests.tools.simulation.process import RETENTION, ConnectionLost, Process
from tests.tools.simulation.requests import Handlers
from tests.tools.simulation.stage_work import DEFAULT_LANGUAGE
from tests.tools.simulation.world import World

WORTH_A_RETRY = (ConnectionLost, LogUnavailable, StorageFull, StorageUnavailable, Contended, TimeoutError)

ChooseProcess = Callable[[], Process | None]


class GaveUp(Exception):
    """The client has run out of patience."""


@dataclass
class Client:
    """Uploads one recording, and deletes, queries and retries it. `acknowledged`: what it was told is stored."""

    world: World
    name: str
    choose_process: ChooseProcess
    acknowledged: list[tuple[int, bytes | None]] = field(default_factory=list)
    finalize_answers: list[dict[str, Any]] = field(default_factory=list)
    appended: list[tuple[int, bytes]] = field(default_factory=list)
    edits: list[tuple[str, str]] = field(default_factory=list)
    opened: bool = False
    deleted: bool = False

    def __post_init__(self) -> None:
        self.id = recording_id("simulated", "tenant", self.name)
        self._random = random = Random(f"{self.world.seed} {self.name}")
        self._handlers = Handlers(self.world, self.id)
        self._total = random.choice((1, 1, 2, 3, 3, 5, 8))
        self._abandons = random.random() < 0.2
        self._appends = random.random() < 0.25
        self._is_file = self._total == 1 and Random(f"{self.world.seed} {self.name} kind").random() < 0.6
        self._languages = Random(f"{self.world.seed} {self.name} languages")
        self._editing = Random(f"{self.world.seed} {self.name} editing")
        self._returning = Random(f"{self.world.seed} {self.name} returning")
        self._window = timedelta(seconds=random.choice((10, 30, 45)))
        self._bodies = {
            number: [b"%s-%d-%d;" % (self.name.encode(), number, version) for version in range(2)]
            for number in range(1, self._total + 3)
        }

    async def live(self) -> None:
        """Do everything this client does."""
        random = self._random
        await asyncio.sleep(random.random() * 2)
        with suppress(GaveUp):
            await self._ask(self._open)
            self.opened = True
            jobs = [self._append_all()] if self._appends else [self._upload(), self._finalize()]
            if random.random() < 0.25:
                jobs.append(self._delete())
            if random.random() < 0.6:
                jobs.append(self._operate())
            if self._languages.random() < 0.3:
                jobs.append(self._ask_for_languages())
            if not self._appends and self._returning.random() < 0.4:
                jobs.append(self._change_and_change_back())
            if self._editing.random() < 0.5:
                jobs.append(self._edit("dr-1"))
                jobs.append(self._edit("dr-2"))
            for outcome in await asyncio.gather(*jobs, return_exceptions=True):
                # Who gives up with one of them goes on with the others.
                if isinstance(outcome, BaseException) and not isinstance(outcome, GaveUp):
                    raise outcome

    async def _ask(self, request: Callable[[Process], Coroutine[Any, Any, Any]]) -> Any:
        """The answer, after as many tries as it takes. Raises: RecordingError; GaveUp."""
        for _ in range(8):
            try:
                answer = await self._ask_once(request)
            except WORTH_A_RETRY as error:
                self.world.answers[type(error).__name__] += 1
                await asyncio.sleep(self._random.random() * 2)
            except errors.RecordingError as refusal:
                self._note(request, type(refusal).__name__)
                raise
            except Exception as error:
                self.world.accuse(f"{self.name} {_word(request)} was answered with {error!r}")
                raise GaveUp from error
            else:
                self._note(request, "OK")
                return answer
        raise GaveUp

    async def _ask_once(self, request: Callable[[Process], Coroutine[Any, Any, Any]]) -> Any:
        process = self.choose_process()
        if process is None:
            raise ConnectionLost
        return await process.ask(request)

    def _note(self, request: Any, answer: str) -> None:
        self.world.answers[answer] += 1
        self.world.trace(f"{self.name} {_word(request)} {answer}")

    def _open(self, process: Process) -> Coroutine[Any, Any, Any]:
        now = self.world.clock()
        traits = Random(f"{self.world.seed} {self.name} traits")
        command = commands.OpenRecording(
            at=now,
            dialect="simulated",
            tenant_id="tenant",
            external_id=self.name,
            kind=RecordingKind.WHOLE_FILE if self._is_file else RecordingKind.STREAMED,
            finalize_policy=traits.choice(list(FinalizePolicy)),
            max_chunks=1 if self._is_file else 20,
            expires_at=now + self._window,
            note_wanted=traits.random() < 0.4,
        )
        return self._handlers.carry_out(process, command)

    async def _upload(self) -> None:
        """Send chunks in any order, some twice, some first announced or sent with other bytes, several at once."""
        random = self._random
        sends: list[Callable[[], Awaitable[None]]] = []
        for number in range(1, self._total + 1):
            if random.random() < 0.1:
                sends.append(partial(self._announce, number))
                if random.random() < 0.5:
                    continue
            if random.random() < 0.15:
                sends.append(partial(self._put, number, 1))
            sends.extend([partial(self._put, number, 0)] * random.choice((1, 1, 1, 2)))
        if random.random() < 0.15:
            sends.append(partial(self._put, self._total + random.randint(1, 2), 0))
        random.shuffle(sends)
        if self._abandons:
            del sends[random.randrange(len(sends)) :]
        lanes = random.randint(1, 4)
        pause = random.choice((0.0, 0.5, 2.0))
        await asyncio.gather(*(self._one_by_one(sends[lane::lanes], pause) for lane in range(lanes)))

    async def _append_all(self) -> None:
        """Send chunks without numbers in sequence, each until it is answered; the last one says that it is the last."""
        for sent in range(1, self._total + 1):
            body, is_last = self._bodies[sent][0], sent == self._total
            with suppress(errors.RecordingError):
                number = await self._ask(partial(self._handlers.append_chunk, body=body, is_last=is_last))
                self.appended.append((number, body))
                self.acknowledged.append((number, body))
            if self._abandons:
                return
            await asyncio.sleep(self._random.random() * 2)

    async def _one_by_one(self, sends: list[Callable[[], Awaitable[None]]], pause: float) -> None:
        for send in sends:
            with suppress(errors.RecordingError):
                await send()
            await asyncio.sleep(self._random.random() * pause)

    async def _put(self, number: int, version: int) -> None:
        body = self._bodies[number][version]
        expected = len(body) + self._random.choice((0, 0, 1)) if self._is_file else None
        await self._ask(partial(self._handlers.put_chunk, number=number, body=body, expected=expected))
        self.acknowledged.append((number, body))

    async def _change_and_change_back(self) -> None:
        """Replace a chunk, and send the bytes of before again at about the time when these are erased."""
        random = self._returning
        number = random.randint(1, self._total)
        for _ in range(random.randint(1, 4)):
            with suppress(errors.RecordingError):
                await self._put(number, 0)
                await self._put(number, 1)
            await asyncio.sleep(RETENTION.total_seconds() + random.random() * 0.5)
        with suppress(errors.RecordingError):
            await self._put(number, 0)

    async def _announce(self, number: int) -> None:
        body = self._bodies[number][0]
        await self._ask(partial(self._handlers.put_metadata, number=number, body=body))
        self.acknowledged.append((number, None))

    async def _finalize(self) -> None:
        """Finalize repeatedly, now and then before everything has arrived, and sometimes with other numbers."""
        random = self._random
        for _ in range(random.randint(1, 6)):
            await asyncio.sleep(random.random() * random.choice((1, 5, 10)))
            if self._abandons and random.random() < 0.8:
                return
            total = self._total if random.random() < 0.9 else max(1, self._total + random.choice((-1, 1)))
            with suppress(errors.RecordingError):
                answer = await self._ask(partial(self._handlers.finalize, total_chunks=total, duration_ms=total))
                self.finalize_answers.append(answer)

    async def _delete(self) -> None:
        await asyncio.sleep(self._random.random() * 20)
        with suppress(errors.RecordingError):
            await self._ask(
                lambda process: self._handlers.carry_out(process, commands.DeleteRecording(at=self.world.clock()))
            )
            self.deleted = True

    async def _operate(self) -> None:
        """Look at the recording now and then; replace a chunk that could not be used, and retry it."""
        for _ in range(self._random.randint(1, 5)):
            await asyncio.sleep(self._random.random() * 10)
            summary = await self._ask(self._handlers.status)
            if summary is not None:
                with suppress(errors.RecordingError):
                    await self._mend(summary)

    async def _ask_for_languages(self) -> None:
        """Want the words in one language, and perhaps later in another, or in the same by another tag."""
        random = self._languages
        for language in random.choices(("en-US", "es-419", "es", "zh-Hant"), k=random.randint(1, 3)):
            await asyncio.sleep(random.random() * 12)
            with suppress(errors.RecordingError):
                await self._ask(partial(self._want_words, language=language))

    async def _edit(self, author: str) -> None:
        """Correct the note now and then, in the words of before, too, while another does the same."""
        random = self._editing
        for _ in range(random.randint(1, 6)):
            await asyncio.sleep(random.random() * 8)
            words, has_read = random.choice(("Rest.", "Fluids.")), random.random() < 0.5
            edit = partial(self._handlers.edit_note, words=words, author=author, has_read=has_read)
            with suppress(errors.RecordingError):
                self.edits.append(await self._ask(edit))

    def _want_words(self, process: Process, language: str) -> Coroutine[Any, Any, Any]:
        command = commands.RequestTranscription(
            at=self.world.clock(), language=language, provider=None, language_otherwise=DEFAULT_LANGUAGE
        )
        return self._handlers.carry_out(process, command)

    async def _mend(self, summary: RecordingSummary) -> None:
        damaged = {found.chunk_number for found in summary.stitched.damage} if summary.stitched else set()
        has_failed = summary.standing is Standing.FAILED
        if has_failed and summary.stitched is None and self._random.random() < 0.5:
            damaged = {self._random.randint(1, self._total)}
        for number in damaged:
            await self._put(number, self._random.randint(0, 1))
        if has_failed or damaged:
            await self._ask(
                lambda process: self._handlers.carry_out(process, commands.RetryRecording(at=self.world.clock()))
            )


def _word(request: Any) -> str:
    """A request's name in the trace."""
    if isinstance(request, partial):
        return f"{request.func.__name__} {request.keywords}"
    return getattr(request, "__name__", "request")

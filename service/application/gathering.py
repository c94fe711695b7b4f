"""Asks a slow answerer, such as a database, for all who wait at once.

There is one call at a time. Who asks while it runs is in the next one, so every answer is newer than its question, and
many at once cost hardly more than one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from adapters.futures import shared

A = TypeVar("A")
R = TypeVar("R")


class Gathering(Generic[A, R]):
    """Used from one event loop. `answer`: answers questions, in their order."""

    def __init__(self, answer: Callable[[Sequence[A]], Awaitable[Sequence[R]]]) -> None:
        self._answer = answer
        self._turn = asyncio.Lock()
        self._next: _Batch[A, R] | None = None

    async def of(self, question: A) -> R:
        """The answer. Raises: what answering raises; it does so for all who are in the call."""
        if self._next is None:
            self._next = _Batch(self._answers)
        batch, place = self._next, len(self._next.questions)
        batch.questions.append(question)
        try:
            answers = await shared(batch.answers)
        finally:
            del batch  # its error would hold this frame, and its callers'
        return answers[place]

    async def ended(self) -> None:
        """Returns when all that was asked has its answer, or error."""
        async with self._turn:
            return

    async def _answers(self, questions: Sequence[A]) -> Sequence[R]:
        async with self._turn:
            self._next = None
            return await self._answer(questions)


class _Batch(Generic[A, R]):
    def __init__(self, answers: Callable[[Sequence[A]], Awaitable[Sequence[R]]]) -> None:
        self.questions: list[A] = []
        self.answers = asyncio.ensure_future(answers(self.questions))

"""Large transcripts take turns, and a project that asks for many does not get all of them first."""

import asyncio
from dataclasses import dataclass

from service.dialects.bota.large_transcripts import LARGE_BYTES, LargeTranscripts


@dataclass
class Transcribed:
    size_bytes: int


@dataclass
class Summary:
    """As much of a recording's as decides on its turn."""

    tenant_id: str
    transcribed: Transcribed | None


class Answers:
    """Answers of which each takes until it is told to end."""

    def __init__(self):
        self.turns = LargeTranscripts()
        self.under_way, self.order = [], []

    async def give(self, project, size_bytes=LARGE_BYTES):
        summary = Summary(project, None if size_bytes is None else Transcribed(size_bytes))
        async with self.turns.turn(summary):
            ended = asyncio.Event()
            self.under_way.append((project, ended))
            self.order.append(project)
            await ended.wait()
            self.under_way.remove((project, ended))


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_at_a_time_and_the_projects_in_turn():
    answers = Answers()
    async with asyncio.TaskGroup() as group:
        for project in ("greedy",) * 5 + ("modest", "other"):
            group.create_task(answers.give(project))
        for _ in range(7):
            await settle()
            assert len(answers.under_way) == 1
            answers.under_way[0][1].set()
    assert answers.order == ["greedy", "modest", "other", "greedy", "greedy", "greedy", "greedy"]


async def test_small_ones_and_those_that_are_not_there_yet_wait_for_nobody():
    answers = Answers()
    async with asyncio.TaskGroup() as group:
        for size_bytes in (LARGE_BYTES, LARGE_BYTES - 1, None):
            group.create_task(answers.give("one", size_bytes))
        await settle()
        assert len(answers.under_way) == 3
        for _, ended in answers.under_way[:]:
            ended.set()

"""Never more than fits, and everybody gets in."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blobs.segments.waiting_room import WaitingRoom


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 3), st.booleans()), max_size=30))
@settings(deadline=None)
def test_whatever_comes_leaves_or_gives_up_the_room_is_never_overfull_and_ends_empty(
    visitors: list[tuple[int, int, bool]],
) -> None:
    async def visit_all() -> None:
        room = WaitingRoom(100)
        most = 0

        async def visit(size_bytes: int, turns: int) -> None:
            nonlocal most
            taken = await room.enter(size_bytes)
            try:
                most = max(most, room.taken_bytes)
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                room.leave(taken)

        tasks = []
        for size_bytes, turns, gives_up in visitors:
            task = asyncio.create_task(visit(size_bytes, turns))
            tasks.append(task)
            await asyncio.sleep(0)
            if gives_up:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert room.taken_bytes == 0
        assert most <= 100
        assert await room.enter(100) == 100

    asyncio.run(visit_all())


async def test_who_came_first_goes_first() -> None:
    room, order = WaitingRoom(10), []
    await room.enter(10)

    async def wait(name: str, size_bytes: int) -> None:
        await room.enter(size_bytes)
        order.append(name)

    waiting = [asyncio.create_task(wait("large", 9)), asyncio.create_task(wait("small", 1))]
    await asyncio.sleep(0)
    room.leave(10)
    await asyncio.gather(*waiting)
    assert order == ["large", "small"]

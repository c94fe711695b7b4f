import asyncio
import threading

from adapters.database.looking_up import AT_ONCE, looked_up
from adapters.database.port import PostgresPlace
from adapters.database.postgres import PostgresDatabase


async def test_while_all_look_ups_wait_for_the_server_other_work_of_threads_goes_on(database):
    """Such as the checks of files for /readyz."""
    tables, answers = PostgresDatabase(PostgresPlace(database, "tapedeck_x")), threading.Event()
    waiting = [asyncio.create_task(looked_up(tables, answers.wait)) for _ in range(4 * AT_ONCE)]
    try:
        await asyncio.sleep(0)  # all have begun
        async with asyncio.timeout(60):
            await asyncio.to_thread(lambda: None)
        assert not any(task.done() for task in waiting)
    finally:
        answers.set()
        await asyncio.gather(*waiting)
        tables.close()

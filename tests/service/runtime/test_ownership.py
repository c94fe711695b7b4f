import asyncio
import signal
from contextlib import AsyncExitStack

import psycopg
from psycopg.conninfo import conninfo_to_dict

from adapters.database.ownership import DatabaseClaim
from service.runtime.ownership import claim_database
from service.runtime.settings import ServiceSettings

END_ALL = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"


async def test_a_service_that_has_lost_the_database_stops_its_followers_before_it_waits_for_requests(
    postgres, database, tmp_path
):
    stopping, followers = asyncio.Event(), []
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    try:
        async with AsyncExitStack() as opened:
            claim_database(opened, ServiceSettings(data_dir=tmp_path, database_url=database), followers)
            followers += [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
            with psycopg.connect(postgres.url(), autocommit=True) as server:
                server.execute(END_ALL, [conninfo_to_dict(database)["dbname"]])
            other = DatabaseClaim(database)  # nothing was awaited, so it is faster
            await stopping.wait()
            await asyncio.wait(followers, timeout=60)
            assert [each.cancelled() for each in followers] == [True, True]
            other.close()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

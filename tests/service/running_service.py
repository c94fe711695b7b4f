"""The service within the test's own process, with a clock that the test turns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web
from orjson import loads

from service.application.clock import utc_now
from service.runtime.assembly import RunningService, Stores, open_service
from service.runtime.settings import Settings
from service.runtime.web import runner
from tests.end_to_end.service_process import Api
from tests.tools.free_ports import free_port


class TurnedClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Running:
    service: RunningService
    settings: Settings
    clock: TurnedClock
    api: Api

    @property
    def url(self) -> str:
        return self.api.url

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    @property
    def stores(self) -> Stores:
        return self.service.stores

    def turn(self, **by: float) -> None:
        """Turn the clock on, and let everyone who waits for it look."""
        self.clock.now += timedelta(**by)
        self.service.delivery.wake()


@asynccontextmanager
async def running_service(data_dir: Path, clock: TurnedClock, **settings: object) -> AsyncIterator[Running]:
    chosen = Settings(data_dir=data_dir, port=free_port(), workers=1, **settings)
    async with open_service(chosen, clock=clock) as service:
        server = runner(service)
        await server.setup()
        try:
            await web.TCPSite(server, chosen.host, chosen.port).start()
            written = loads((data_dir / "dev-credentials.json").read_bytes())["bota"]
            yield Running(service, chosen, clock, Api(chosen.base_url, written["api_key"], written["end_user_id"]))
        finally:
            await server.cleanup()

"""Real servers behind relays, and the processes of tapedeck that use them."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import aiohttp
from psycopg import sql

from adapters.database.leadership import Leadership
from adapters.database.port import PostgresPlace
from adapters.keys import KeyKind, KeyStore
from adapters.sqlite_file import DatabaseUnavailable
from service.application.clock import utc_now
from service.runtime.places import keys_place
from service.runtime.settings import ServiceSettings
from tests.end_to_end.host_process import SECRETS
from tests.tools.free_ports import free_port
from tests.tools.kafka.broker import KafkaBroker
from tests.tools.postgres.server import PostgresServer
from tests.tools.s3.server import CREDENTIALS, S3Server
from tests.tools.soak.cluster.members import Member, unexpected
from tests.tools.soak.cluster.relay import Relay
from tests.tools.soak.cluster.speech import Engine

API_PROCESSES, WORKERS, PUBLISHERS = 3, 3, 2
"""API processes of a host that is alone; of several, each has one."""
_READY_SECONDS = 300
_ENOUGH_CONNECTIONS = "max_connections = 300\n"
"""For all processes, and for connections whose processes have just been killed."""
_BUCKET_SECONDS = 5
"""How long the service repeats a request that the bucket fails: requests are answered, and not only slowly."""


class Cluster:
    """`hosts`, `workers` and `publishers` share nothing but the servers, which they reach over relays.

    `code_dir`: the repository whose code they run; None: this one.
    """

    def __init__(self, folder: Path, *, hosts: int, code_dir: Path | None = None) -> None:
        os.environ.update(CREDENTIALS)
        self.engine = Engine()
        self.postgres = PostgresServer(settings=_ENOUGH_CONNECTIONS).start()
        self.s3 = S3Server(folder / "s3")
        self.relay_port = free_port()
        self.kafka = KafkaBroker(folder / "kafka", seen_at=self.relay_port)
        self.to_postgres, self.to_s3 = Relay(self.postgres.port), Relay(self.s3.port)
        self.to_kafka = Relay(self.kafka.relayed_port, port=self.relay_port)
        self.topic = f"soak-{uuid4()}"
        self.database = self.postgres.new_database()
        self.bucket = f"{self.s3.new_bucket()}/tapes?endpoint={self.s3.endpoint}"
        ports = [free_port() for _ in range(hosts)]
        self.to_hosts = [Relay(port) for port in ports]
        self.hosts = [self._host(number, port, alone=hosts == 1, folder=folder) for number, port in enumerate(ports, 1)]
        self.workers = [self._worker(number, folder) for number in range(1, WORKERS + 1)]
        self.publishers = [self._publisher(number, folder) for number in range(1, PUBLISHERS + 1)]
        for member in self.members:
            member.code_dir = code_dir

    def _stores(self) -> dict[str, str]:
        over_relay = self.database.replace(f":{self.postgres.port}/", f":{self.to_postgres.port}/")
        bucket = self.bucket.replace(self.s3.endpoint, f"http://127.0.0.1:{self.to_s3.port}")
        engine = {"TRANSCRIBER": "openai", "TRANSCRIBER_URL": self.engine.url, "TRANSCRIBER_MODEL": "whisper-1"}
        return {
            "DATABASE_URL": f"{over_relay}?connect_timeout=2",
            "BLOB_URL": f"{bucket}&seconds={_BUCKET_SECONDS}",
            "STAGE_ATTEMPTS": "100",
            "WORKERS": "1",
            **engine,
        }

    def _host(self, number: int, port: int, *, alone: bool, folder: Path) -> Member:
        its_own = {"PORT": str(port), "API_PROCESSES": str(API_PROCESSES if alone else 1), "STOP_SECONDS": "10"}
        its_own |= {"WEBHOOK_PRIVATE_ADDRESSES": "true"}
        if not alone:
            its_own |= {"PEER_URL": f"http://127.0.0.1:{free_port()}", "PUBLIC_URL": "https://tapedeck.example"}
        return Member(f"host-{number}", "serve", folder, self._stores() | its_own)

    def _worker(self, number: int, folder: Path) -> Member:
        return Member(f"worker-{number}", "work", folder, self._stores() | {"OPERATIONS_PORT": str(free_port())})

    def _publisher(self, number: int, folder: Path) -> Member:
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.to_kafka.port}", "KAFKA_TOPIC": self.topic}
        database = {"DATABASE_URL": self._stores()["DATABASE_URL"]}
        return Member(f"publisher-{number}", "publish", folder, database | kafka)

    @property
    def members(self) -> list[Member]:
        return [*self.hosts, *self.workers, *self.publishers]

    @property
    def relays(self) -> list[Relay]:
        return [self.to_postgres, self.to_s3, self.to_kafka, *self.to_hosts]

    @property
    def urls(self) -> list[str]:
        """Where clients reach each host."""
        return [f"http://127.0.0.1:{relay.port}" for relay in self.to_hosts]

    async def start(self) -> "Cluster":
        for relay in self.relays:
            await relay.open()
        await self.engine.start()
        await asyncio.gather(asyncio.to_thread(self.s3.start), asyncio.to_thread(self.kafka.start))
        first, *further = self.hosts
        first.start()
        await self._until_ready([self.urls[0]])
        for host in further:
            host.data_dir.mkdir(mode=0o700)
            for name in SECRETS:
                shutil.copy(first.data_dir / name, host.data_dir / name)
            host.start()
        await self.until_ready()
        for member in (*self.workers, *self.publishers):
            member.start()
        await self.until_ready()
        return self

    async def until_ready(self) -> None:
        """Return once every host can store, and every worker that runs says that it is ready."""
        workers = [f"http://127.0.0.1:{each.settings['OPERATIONS_PORT']}" for each in self.workers if each.process]
        await self._until_ready([*self.urls, *workers])

    async def _until_ready(self, urls: Sequence[str]) -> None:
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
            for url in urls:
                while not await _is_ready(session, f"{url}/readyz"):
                    await asyncio.sleep(0.1)

    def new_key(self) -> str:
        """A secret key of a new project."""
        settings = ServiceSettings(data_dir=self.hosts[0].data_dir, database_url=self.database)
        keys = KeyStore(keys_place(settings), clock=utc_now)
        try:
            return keys.create(KeyKind.SECRET, project_id=f"proj_{uuid4().hex}").token
        finally:
            keys.close()

    async def calm(self) -> None:
        """Everything runs, and every connection flows."""
        for server in (self.postgres, self.s3, self.kafka):
            if not server.is_running:
                await asyncio.to_thread(server.start)
        for relay in self.relays:
            await relay.calm()
        await self.until_ready()

    async def end(self) -> list[str]:
        """Ask all of tapedeck to end. What is wrong in how they did and had ended, a sentence each."""
        codes = await asyncio.gather(*(member.end() for member in self.members))
        wrong = [f"{each.name} ended with {code}" for each, code in zip(self.members, codes, strict=True) if code]
        return wrong + [sentence for member in self.members for sentence in member.wrong]

    def own_ends(self) -> Iterator[str]:
        """Which processes ended by themselves, and how."""
        for member in self.members:
            for code, count in unexpected(member.ends).items():
                yield f"{member.name} ended with {code} {count} times by itself"

    @property
    def bucket_files(self) -> Path:
        """The folder in which every object of the bucket is a file."""
        return self.s3.files_of(self.bucket)

    def wrong_blobs(self) -> Iterator[str]:
        """What `tapedeck blobs check` says, once nothing else runs."""
        settings = {"DATA_DIR": str(self.hosts[0].data_dir), "DATABASE_URL": self.database, "BLOB_URL": self.bucket}
        ran = subprocess.run(
            [sys.executable, "-m", "service.cli", "blobs", "check"],
            env=os.environ | {f"TAPEDECK_{name}": value for name, value in settings.items()},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            yield f"tapedeck blobs check ended with {ran.returncode}: {ran.stdout[-500:]}{ran.stderr[-500:]}"

    def leader(self) -> Member | None:
        """The host that leads; None if there is none now, if that is not known, or if there is only one host."""
        try:
            leadership = Leadership(PostgresPlace(self.database, "tapedeck_hosts"), own_url="")
            try:
                url = leadership.leader()
            finally:
                leadership.close()
        except DatabaseUnavailable:
            return None
        return next((host for host in self.hosts if host.settings.get("PEER_URL") == url), None)

    def connections(self) -> int:
        """To the service's database, as PostgreSQL counts them."""
        counted = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE datname = {}")
        name = self.database.rpartition("/")[2]
        (count,) = self.postgres.execute(counted.format(sql.Literal(name)))[0]
        return int(count)

    def ends(self) -> Counter[str]:
        """How many processes of each command have ended."""
        counted = Counter[str]()
        for each in self.members:
            counted[each.command] += each.ends.total()
        return counted

    async def destroy(self) -> None:
        for member in self.members:
            member.destroy()
        await self.engine.stop()
        for relay in self.relays:
            await relay.refuse()
        self.kafka.kill()
        self.s3.kill()
        self.postgres.close()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=10)) as answer:
            return answer.ok
    except (aiohttp.ClientError, TimeoutError):
        return False

"""One PostgreSQL server in a folder of its own, on a free loopback port; can be stopped, killed and started again."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.tools.free_ports import free_port
from tests.tools.postgres.certificates import Certificates
from tests.tools.postgres.programs import NoPostgres, installation

START_SECONDS = 60
STOP_SECONDS = 60
USER, PASSWORD = "tapedeck", "open sesame"
UNPRIVILEGED = "nobody"
"""Whose processes the server's are if the tests run as root: PostgreSQL refuses to run as root."""

SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
max_connections = 400
log_timezone = 'UTC'
timezone = 'UTC'
"""


class PostgresServer:
    """`start` it, `stop` or `kill` it, `start` it again: same port, same data. Ends only its own processes.

    `close` it at the end: its folder is in the system's temporary folder, since the unprivileged user must reach it.
    """

    def __init__(self, *, settings: str = "", certificates: Certificates | None = None) -> None:
        self.port = free_port()
        self._certificates = certificates
        self._account = _account()
        self._folder = Path(tempfile.mkdtemp(prefix="tapedeck-postgres-"))
        self._process: psutil.Popen | None = None
        try:
            if self._account:
                shutil.chown(self._folder, UNPRIVILEGED)
            programs = installation(with_tls=certificates is not None)
            self._programs = _within_reach(programs, self._folder) if self._account else programs
            self._create(settings)
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def programs(self) -> Path:
        """The folder with `pg_dump` and its other programs, all of the server's version."""
        return self._programs / "bin"

    def url(self, database: str = "postgres") -> str:
        """Where a database of this server is, with the owner's password."""
        return f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a new, empty database. It goes with the server, or with `drop_database`."""
        name = f"test_{uuid4().hex}"
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def empty_database(self, url: str) -> None:
        """Drop the database and make it anew, empty, under the same URL."""
        self.drop_database(url)
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))

    def drop_database(self, url: str) -> None:
        """Remove the database, whoever is still connected to it."""
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def execute(self, statement: sql.Composable, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the server's owner; returns its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def start(self) -> "PostgresServer":
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                [self._programs / "bin" / "postgres", "-D", self._data, "-p", str(self.port)],
                **self._account,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(make_conninfo(self.url(), connect_timeout=2)).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return self
        self.kill()
        raise NoPostgres(f"PostgreSQL did not start; its log:\n{self._log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """Stop it cleanly; transactions under way are rolled back."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End all of its processes at once with SIGKILL, as a power cut would."""
        if self._process is None:
            return
        self._process.suspend()  # so that it starts no further process meanwhile
        its_processes = self._process.children(recursive=True)
        for process in (*its_processes, self._process):  # which, until it is killed itself, reaps none of the others
            process.kill()
        self._process.wait(STOP_SECONDS)
        deadline = time.monotonic() + STOP_SECONDS
        while any(map(_lives, its_processes)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL's processes did not end: {its_processes}")
            time.sleep(0.005)
        self._process = None

    @contextmanager
    def stopped_in_its_tracks(self, only: int | None = None) -> Iterator[None]:
        """A block in which its processes, or one of them, do nothing, as on a machine that hangs. Its port is open."""
        if self._process is None:
            raise ValueError("It does not run.")
        self._process.suspend()  # first, so that it starts no further process meanwhile
        suspended = [self._process, *self._process.children(recursive=True)]
        if only is not None:
            self._process.resume()
            suspended = [process for process in suspended if process.pid == only]
        for process in suspended:
            process.suspend()
        try:
            yield
        finally:
            for process in reversed(suspended):  # the first would reap those that have ended meanwhile
                process.resume()

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self._folder)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _create(self, settings: str) -> None:
        password = self._write(self._folder / "password", PASSWORD.encode())
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}", "--encoding=UTF8"]
        ran = subprocess.run(
            [self._programs / "bin" / "initdb", "-D", self._data, *options, "--no-locale", "--no-sync"],
            **self._account,
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
        )
        if ran.returncode != 0:
            raise NoPostgres(f"`initdb` failed: {ran.stdout[-1000:]}{ran.stderr[-1000:]}")
        if self._certificates is not None:
            self._write(self._data / "server.crt", self._certificates.server)
            self._write(self._data / "server.key", self._certificates.server_key)
            settings += "ssl = on\n"
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS + settings)

    def _write(self, path: Path, content: bytes) -> Path:
        """A file that only the server's user can read."""
        path.touch(mode=0o600)
        path.write_bytes(content)
        if self._account:
            shutil.chown(path, UNPRIVILEGED)
        return path


def _lives(process: psutil.Process) -> bool:
    """Whether it may still hold files or memory; what is dead may wait long for its new parent to notice."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _account() -> dict[str, Any]:
    """Who the server's processes belong to, as arguments of `Popen`: of this user, unless that is root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _within_reach(programs: Path, folder: Path) -> Path:
    """The programs, or a copy of them in `folder` if they are where only root can read them."""
    ways = [programs, *programs.parents]
    if all(way.stat().st_mode & 0o005 == 0o005 for way in ways):
        return programs
    copy = folder / "site" / programs.parent.name / programs.name
    shutil.copytree(programs, copy)
    libraries = programs.parent.with_name(f"{programs.parent.name}.libs")  # the programs look for it beside themselves
    if libraries.is_dir():
        shutil.copytree(libraries, copy.parents[1] / libraries.name)
    return copy

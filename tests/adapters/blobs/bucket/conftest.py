"""Where the index of a bucket is: the tests run with it in a file, and in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.blobs.bucket.address import with_folder, with_index
from adapters.blobs.bucket.store import BucketBlobStore
from adapters.blobs.opening import open_store
from tests.tools.postgres.server import PostgresServer

TABLES = ("blobs", "objects", "announced", "doomed", "about")


class Indexes:
    """One for each folder: in a file there, or in a database of its own."""

    def __init__(self, postgres: PostgresServer | None) -> None:
        self._postgres = postgres
        self._databases: dict[Path, str] = {}

    @property
    def owned_by(self) -> str:
        return "data directory" if self._postgres is None else "database"

    def url(self, bucket_url: str, folder: Path) -> str:
        url = with_folder(bucket_url, folder)
        return url if self._postgres is None else with_index(url, self._database(folder))

    def open(self, bucket_url: str, folder: Path) -> BucketBlobStore:
        store = open_store(self.url(bucket_url, folder))
        assert isinstance(store, BucketBlobStore)
        return store

    def back_up(self, folder: Path) -> None:
        if self._postgres is None:
            folder.joinpath("backup").write_bytes(folder.joinpath("index.sqlite3").read_bytes())
            return
        with psycopg.connect(self._database(folder), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA backup")
            for table in TABLES:
                connection.execute(f"CREATE TABLE backup.{table} AS TABLE tapedeck_bucket.{table}")

    def restore(self, folder: Path) -> None:
        """While no store is open."""
        if self._postgres is None:
            for path in folder.glob("index.sqlite3*"):
                path.unlink()
            folder.joinpath("index.sqlite3").write_bytes(folder.joinpath("backup").read_bytes())
            return
        with psycopg.connect(self._database(folder), autocommit=True) as connection:
            for table in TABLES:
                connection.execute(f"TRUNCATE tapedeck_bucket.{table}")
                connection.execute(f"INSERT INTO tapedeck_bucket.{table} TABLE backup.{table}")

    def close(self) -> None:
        for url in self._databases.values():
            assert self._postgres is not None
            self._postgres.drop_database(url)

    def _database(self, folder: Path) -> str:
        assert self._postgres is not None
        if folder not in self._databases:
            self._databases[folder] = self._postgres.new_database()
        return self._databases[folder]


@pytest.fixture(params=["index in a file", "index in PostgreSQL"])
def indexes(request: pytest.FixtureRequest) -> Iterator[Indexes]:
    in_postgres = request.param == "index in PostgreSQL"
    indexes = Indexes(request.getfixturevalue("postgres") if in_postgres else None)
    yield indexes
    indexes.close()

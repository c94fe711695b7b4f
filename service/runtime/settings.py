"""All settings, from the environment with the prefix TAPEDECK_. `tapedeck serve --help` lists them from here."""

import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator, model_validator

from adapters.blobs.bucket.address import with_folder, with_index
from adapters.blobs.url import check_blob_url, is_bucket
from adapters.event_log.left_behind import check_no_log_left_behind
from adapters.event_log.url import check_log_url, is_postgres
from adapters.kafka.connection import BadConnection, KafkaConnection, SaslMechanism, SecurityProtocol, parse_servers
from service.dialects.bota.settings import BotaSettings
from service.dialects.dialect import Dialect
from service.dialects.http.language_tags import LanguageTag
from service.dialects.http.settings import MEBIBYTE, MOST_BYTES, HttpSettings, web_address
from service.dialects.registry import DIALECTS
from service.messages.topic import DEFAULT_TOPIC
from service.runtime.host_settings import HostSettings

LOOPBACK = "127.0.0.1"

LOG_FILE = "tapedeck.sqlite3"
"""In DATA_DIR: the event log, unless DATABASE_URL names another place."""

LONGEST_SOCKET_PATH = 107
"""In bytes, on Linux."""

LONGEST_RETENTION_HOURS = 876_000
"""A hundred years: dates that far from now can be written."""

AROUND_A_NOTE = timedelta(minutes=2)


def as_set(sentence: str) -> str:
    """An adapter's sentence about Kafka's settings, with the names that these settings have in the environment."""
    return sentence.replace("KAFKA_", "TAPEDECK_KAFKA_")


class ServiceSettings(HostSettings):
    """The settings of no single dialect. The settings' table and the command line show the fields' descriptions."""

    operations_port: Annotated[
        int | None,
        Field(
            ge=1,
            le=65535,
            description="port on which /metrics, /readyz, /docs and /openapi.json are served, and then only there; if "
            "unset, PORT",
        ),
    ] = None
    operations_host: Annotated[
        str | None, Field(description="address to listen on at OPERATIONS_PORT; if unset, 127.0.0.1")
    ] = None
    console: Annotated[bool, Field(description="whether the console for browsers is served at /console")] = True
    api_processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="processes that take chunks on the one port, beside one that does all else; 1: one does all",
        ),
    ] = 1
    drain_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=3_600,
            description="seconds, after SIGTERM, in which /readyz answers 503 and new connections are still accepted",
        ),
    ] = 0
    stop_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=3_600,
            description="seconds, after that, within which requests under way may end; new connections are refused",
        ),
    ] = 60
    database_url: Annotated[
        str | None,
        Field(
            description="the event log: sqlite:///PATH, or postgresql://USER:PASSWORD@HOST:PORT/DATABASE for the log "
            "and most of what else is in SQLite files; if unset, tapedeck.sqlite3 in DATA_DIR",
            repr=False,
        ),
    ] = None
    blob_url: Annotated[
        str | None,
        Field(
            description="where audio and transcripts are stored: segments:///PATH (small blobs share files and syncs), "
            "file:///PATH (one file per blob), s3://BUCKET/PREFIX?endpoint=URL&region=NAME&seconds=NUMBER (all but the "
            "bucket may be left out), gs://BUCKET/PREFIX or az://CONTAINER/PREFIX (likewise, without a region); if "
            "unset, segments in blobs/ in DATA_DIR"
        ),
    ] = None
    transcriber: Annotated[
        Literal["faster-whisper", "openai"],
        Field(description="the speech engine: Whisper on this machine, or an OpenAI-compatible endpoint"),
    ] = "faster-whisper"
    transcriber_model: Annotated[
        str | None,
        Field(
            description="faster-whisper: folder of a Whisper model for CTranslate2 (if unset, tiny.en); "
            "openai: the model's name"
        ),
    ] = None
    transcriber_url: Annotated[
        str | None, Field(description="openai: base URL of any endpoint that speaks OpenAI's protocol")
    ] = None
    transcriber_api_key: Annotated[SecretStr | None, Field(description="openai: the endpoint's key")] = None
    tell_speakers: Annotated[
        bool,
        Field(
            description="faster-whisper: whether speakers who share a channel are told apart; who has a channel alone "
            "always is"
        ),
    ] = True
    language: Annotated[LanguageTag, Field(description="spoken language, such as en, en-US or es-419")] = "en"
    workers: Annotated[
        int | None,
        Field(
            ge=1,
            le=256,
            description="recordings that are worked on at once, each in a process; if unset, one fewer than cores",
        ),
    ] = None
    listened_recordings: Annotated[
        int | None,
        Field(
            ge=0,
            le=1_000,
            description="recordings that are recognized while they still arrive, each with one more process; if unset, "
            "two for each worker; 0 for none",
        ),
    ] = None
    max_recording_hours: Annotated[
        float, Field(gt=0, le=1_000, description="longest recording, in hours; a longer one fails when it is stitched")
    ] = 24
    stitch_hours: Annotated[
        float, Field(gt=0, le=1_000, description="hours after which stitching one recording is stopped and fails")
    ] = 1
    transcribe_hours: Annotated[
        float, Field(gt=0, le=1_000, description="hours after which transcribing one recording is stopped and fails")
    ] = 12
    worker_memory_bytes: Annotated[
        int,
        Field(
            ge=128 * MEBIBYTE,
            le=MOST_BYTES,
            description="most memory, in bytes, that one recording may take in such a process, besides the loaded "
            "speech model",
        ),
    ] = 1024 * MEBIBYTE
    segment_body_bytes: Annotated[
        int, Field(ge=0, le=4 * MEBIBYTE, description="largest body that shares a segment with others")
    ] = 256 * 1024
    chunk_retention_hours: Annotated[
        float,
        Field(
            ge=0,
            le=LONGEST_RETENTION_HOURS,
            description="how long chunks are kept after they are stitched without damage, and replaced bytes after "
            "they were replaced, in hours",
        ),
    ] = 168
    expired_retention_hours: Annotated[
        float,
        Field(
            ge=0,
            le=LONGEST_RETENTION_HOURS,
            description="how long what arrived of a recording is kept after the recording expired, in hours",
        ),
    ] = 720
    stage_attempts: Annotated[
        int, Field(ge=1, le=100, description="attempts at stitching or transcribing before the stage fails")
    ] = 6
    note_writer: Annotated[
        Literal["extractive", "openai"],
        Field(description="how notes are written: as quotations only, or by a language model"),
    ] = "extractive"
    note_writer_model: Annotated[str | None, Field(description="openai: the model's name")] = None
    note_writer_url: Annotated[
        str | None, Field(description="openai: base URL of any endpoint that speaks OpenAI's protocol")
    ] = None
    note_writer_api_key: Annotated[SecretStr | None, Field(description="openai: the endpoint's key")] = None
    note_writer_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="seconds within which a language model must write a note, all parts of it"),
    ] = 15
    note_writer_attempts: Annotated[
        int, Field(ge=1, le=20, description="attempts with a language model before the note is quotations only")
    ] = 2
    note_writer_part_characters: Annotated[
        int,
        Field(
            ge=1_000,
            le=10_000_000,
            description="most characters of a transcript that go to a language model at once: of a longer one, each "
            "part is a request; besides them, the model's context must hold the prompt and the answer",
        ),
    ] = 16_000
    kafka_bootstrap_servers: Annotated[
        str | None,
        Field(description="Kafka brokers as host:port, separated by commas; if set, the log is published there"),
    ] = None
    kafka_topic: Annotated[
        str, Field(pattern=r"^[a-zA-Z0-9._-]{1,200}$", description="topic that the log is published to")
    ] = DEFAULT_TOPIC
    kafka_partitions: Annotated[
        int, Field(ge=1, le=10_000, description="partitions of the topic, if the service creates it")
    ] = 6
    kafka_replication: Annotated[
        int | None,
        Field(
            ge=1, le=100, description="copies of each partition then; if unset, 3, or one per broker if there are fewer"
        ),
    ] = None
    kafka_security_protocol: Annotated[
        SecurityProtocol, Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        SaslMechanism | None, Field(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    ] = None
    kafka_sasl_username: Annotated[str | None, Field(description="the service's user name at Kafka")] = None
    kafka_sasl_password: Annotated[SecretStr | None, Field(description="that user's password")] = None
    kafka_ssl_ca: Annotated[
        Path | None,
        Field(description="PEM file of the authorities that sign Kafka's certificate; if unset, the system's"),
    ] = None
    kafka_ssl_cert: Annotated[
        Path | None, Field(description="PEM file of the service's own certificate, if Kafka asks for one")
    ] = None
    kafka_ssl_key: Annotated[
        Path | None, Field(description="PEM file of that certificate's private key, without a passphrase")
    ] = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="lowest level of log lines written")
    ] = "INFO"

    @field_validator("transcriber_url", "note_writer_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        return web_address(url)

    @field_validator("database_url")
    @classmethod
    def _log(cls, url: str | None) -> str | None:
        if url is not None:
            check_log_url(url)
        return url

    @field_validator("blob_url")
    @classmethod
    def _blobs(cls, url: str | None) -> str | None:
        if url is not None:
            check_blob_url(url)
        return url

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _servers(cls, servers: str | None) -> str | None:
        if servers is not None:
            parse_servers(servers)
        return servers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.operations_host is not None and self.operations_port is None:
            raise ValueError("TAPEDECK_OPERATIONS_HOST needs TAPEDECK_OPERATIONS_PORT, the port to listen on there")
        if self.operations_port == self.port and _meet(self.host, self.operations_host or LOOPBACK):
            raise ValueError(f"TAPEDECK_PORT and TAPEDECK_OPERATIONS_PORT are both {self.port}: they must differ")
        if self.transcriber == "openai" and not (self.transcriber_url and self.transcriber_model):
            raise ValueError(
                "TAPEDECK_TRANSCRIBER=openai needs TAPEDECK_TRANSCRIBER_URL and TAPEDECK_TRANSCRIBER_MODEL"
            )
        if self.note_writer == "openai" and not (self.note_writer_url and self.note_writer_model):
            raise ValueError(
                "TAPEDECK_NOTE_WRITER=openai needs TAPEDECK_NOTE_WRITER_URL and TAPEDECK_NOTE_WRITER_MODEL"
            )
        if self.kafka is not None:
            try:
                self.kafka.options()
            except BadConnection as error:
                raise ValueError(as_set(str(error))) from None
        if self.peer_url is not None:
            self._check_hosts(self.peer_url)
        if self.serves_by_processes:
            self._check_processes()
        check_no_log_left_behind(self.data_dir / LOG_FILE, self.log_url)
        return self

    def _check_hosts(self, peer_url: str) -> None:
        if not self.has_shared_stores:
            raise ValueError(
                "TAPEDECK_PEER_URL needs TAPEDECK_DATABASE_URL=postgresql://… and a TAPEDECK_BLOB_URL with s3://, "
                "gs:// or az://, which all hosts reach"
            )
        if urlsplit(peer_url).port in (self.port, self.operations_port):
            raise ValueError("TAPEDECK_PEER_URL needs a port of its own, other than those for clients and operators")
        if self.is_development or self.public_url is None:
            raise ValueError(
                "TAPEDECK_PEER_URL needs TAPEDECK_PUBLIC_URL, the address at which clients reach any of the hosts, and "
                "is not for development: there, the hosts would have different credentials"
            )

    def _check_processes(self) -> None:
        more = "TAPEDECK_API_PROCESSES above 1" if self.peer_url is None else "TAPEDECK_PEER_URL"
        if sys.platform != "linux":
            raise ValueError(f"{more} needs Linux, which spreads connections over processes")
        if len(os.fsencode(self.handing_over_path)) > LONGEST_SOCKET_PATH:
            raise ValueError(
                f"{more} needs a shorter TAPEDECK_DATA_DIR: a socket's path has at most {LONGEST_SOCKET_PATH} bytes"
            )
        if isinstance(self, BotaSettings) and self.requests_per_minute is not None:
            raise ValueError(f"{more} cannot be had with TAPEDECK_REQUESTS_PER_MINUTE: one process counts requests")

    @property
    def kafka(self) -> KafkaConnection | None:
        """Where the log is published, if anywhere."""
        if self.kafka_bootstrap_servers is None:
            return None
        password = self.kafka_sasl_password
        return KafkaConnection(
            bootstrap_servers=parse_servers(self.kafka_bootstrap_servers),
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else None,
            ssl_ca=self.kafka_ssl_ca,
            ssl_cert=self.kafka_ssl_cert,
            ssl_key=self.kafka_ssl_key,
        )

    @property
    def log_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / LOG_FILE}"

    @property
    def keys_path(self) -> Path:
        return self.data_dir / "keys.sqlite3"

    @property
    def views_path(self) -> Path:
        return self.data_dir / "views.sqlite3"

    @property
    def positions_path(self) -> Path:
        return self.data_dir / "followers.sqlite3"

    @property
    def note_orders_path(self) -> Path:
        return self.data_dir / "note_orders.sqlite3"

    @property
    def ambient_sessions_path(self) -> Path:
        return self.data_dir / "ambient_sessions.sqlite3"

    @property
    def search_index_path(self) -> Path:
        return self.data_dir / "search.sqlite3"

    @property
    def webhooks_path(self) -> Path:
        return self.data_dir / "webhooks.sqlite3"

    @property
    def directory_path(self) -> Path:
        return self.data_dir / "directory.sqlite3"

    @property
    def answers_path(self) -> Path:
        return self.data_dir / "answers.sqlite3"

    @property
    def usage_path(self) -> Path:
        return self.data_dir / "usage.sqlite3"

    @property
    def quotas_path(self) -> Path:
        return self.data_dir / "quotas.sqlite3"

    @property
    def settling_path(self) -> Path:
        """Locked byte by byte, where several processes store."""
        return self.data_dir / "settling"

    @property
    def handing_over_path(self) -> Path:
        """The socket at which several processes hand requests to one."""
        return self.data_dir.absolute() / "api.sock"

    @property
    def blob_store_url(self) -> str:
        """The URL that opens the store: of a bucket it says where the index is, too, with the database's password."""
        if self.blob_url is not None and is_bucket(self.blob_url) and is_postgres(self.log_url):
            return with_index(self.blob_place, self.log_url)
        return self.blob_place

    @property
    def blob_place(self) -> str:
        """Where the blobs are, without a password."""
        if self.blob_url is not None and is_bucket(self.blob_url):
            return with_folder(self.blob_url, self.bucket_folder)
        return self.blob_url or (self.data_dir / "blobs").as_uri().replace("file:", "segments:", 1)

    @property
    def bucket_folder(self) -> Path:
        """For bodies on their way to a bucket, and the index of one that is in a file."""
        return self.data_dir.absolute() / "bucket"

    @property
    def has_shared_stores(self) -> bool:
        """Whether processes on other machines can reach the log and the blobs."""
        return is_postgres(self.log_url) and self.blob_url is not None and is_bucket(self.blob_url)

    @property
    def serves_by_processes(self) -> bool:
        """Whether processes beside this one take chunks, here or on other hosts."""
        return self.api_processes > 1 or self.peer_url is not None

    @property
    def worker_count(self) -> int:
        return self.workers or max(1, (os.cpu_count() or 2) - 1)

    @property
    def listened_count(self) -> int:
        return 2 * self.worker_count if self.listened_recordings is None else self.listened_recordings

    @property
    def note_limit(self) -> timedelta:
        """How long writing one note may take: all attempts, and some time for what is around them."""
        return timedelta(seconds=self.note_writer_seconds * self.note_writer_attempts) + AROUND_A_NOTE

    @property
    def chunk_retention(self) -> timedelta:
        return timedelta(hours=self.chunk_retention_hours)


def _meet(host: str, other_host: str) -> bool:
    """Whether nobody can listen on one port of both."""
    both = {LOOPBACK if host == "localhost" else host for host in (host, other_host)}
    are_of_one_kind = len({":" in host for host in both}) == 1
    return len(both) == 1 or (are_of_one_kind and not both.isdisjoint({"0.0.0.0", "::"}))  # noqa: S104 - compared only


def combined_settings(dialects: Sequence[Dialect]) -> type[ServiceSettings]:
    """The service's settings and those of these dialects in one class, the service's own last."""
    # Base classes in reverse order, so that the fields come in the order of the dialects.
    sections: list[Any] = [dialect.settings for dialect in reversed(dialects) if dialect.settings is not HttpSettings]
    return create_model("Settings", __base__=(*sections, ServiceSettings))


if TYPE_CHECKING:
    Settings = ServiceSettings
else:
    Settings = combined_settings(DIALECTS)
"""All settings: the service's, and every dialect's, which `section` returns. Raises, when made: ValidationError."""


class BadSettings(Exception):
    """The environment holds a setting that cannot be used; one line per mistake."""


def load_settings(**overrides: Any) -> Settings:
    """The settings of this environment. Raises: BadSettings."""
    try:
        return Settings(**overrides)
    except ValidationError as invalid:
        raise BadSettings(
            "\n".join(_sentence(error["loc"], error["msg"], error["input"]) for error in invalid.errors())
        ) from None


def _sentence(location: tuple[int | str, ...], problem: str, given: Any) -> str:
    problem = problem.removeprefix("Value error, ")
    if not location:
        return f"{problem}."
    name = f"TAPEDECK_{str(location[0]).upper()}"
    shown = "" if any(secret in name for secret in ("KEY", "PASSWORD", "DATABASE_URL")) else f" is {given!r}, which"
    return f"{name}{shown} cannot be used: {problem[0].lower()}{problem[1:]}."

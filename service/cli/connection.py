"""Which service a command calls, with which key, and how failures are shown."""

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec
from urllib.parse import urlsplit

import click
import orjson

from service.client import ApiError, ClientFailure, RecordingsClient, Unreachable
from service.client.attempts import PATIENT, Attempts

DEFAULT_URL = "http://127.0.0.1:8080"
URL_HELP = f"Address of the service; unless given, the development credentials' base_url, or else {DEFAULT_URL}."
INTERRUPTED = 130
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
P = ParamSpec("P")


@dataclass(frozen=True)
class Connection:
    """Which service, with which key, and how patiently. Its `repr` does not show the key."""

    url: str
    key: "_Key"
    end_user_id: str | None
    attempts: Attempts

    def client(self) -> AbstractAsyncContextManager[RecordingsClient]:
        """Open a client for the duration of an `async with`."""
        return RecordingsClient.connected(self.url, self.key.text, self.attempts)


@dataclass(frozen=True)
class _Key:
    text: str

    def __repr__(self) -> str:
        return "<key>"


def connected(*, patience_seconds: float) -> Callable[[Callable[Concatenate[Connection, P], None]], Callable[P, None]]:
    """Give a command the options --url, --api-key and --patience, and a Connection as its first argument."""

    def decorate(command: Callable[Concatenate[Connection, P], None]) -> Callable[P, None]:
        @click.option("--url", envvar="TAPEDECK_URL", help=URL_HELP)
        @click.option("--api-key", envvar="TAPEDECK_API_KEY", help="The development credentials' key, unless given.")
        @click.option(
            "--patience",
            type=click.FloatRange(min=0),
            default=patience_seconds,
            show_default=True,
            metavar="SECONDS",
            help="How long to keep trying while the service cannot be reached.",
        )
        @functools.wraps(command)
        def with_connection(*args: P.args, **kwargs: P.kwargs) -> None:
            url, api_key, patience = (kwargs.pop(name) for name in ("url", "api_key", "patience"))
            policy = replace(PATIENT, patience=timedelta(seconds=float(str(patience))))
            told = Attempts(policy=policy, on_setback=_tell_setback)
            command(find(_text(url), _text(api_key), told), *args, **kwargs)

        return with_connection

    return decorate


def find(url: str | None, api_key: str | None, attempts: Attempts, data_dir: Path | None = None) -> Connection:
    """Take what was not given from the development credentials in `data_dir`, or in TAPEDECK_DATA_DIR.

    Raises: click.ClickException when there is no key.
    """
    written = _development_credentials(data_dir)
    base_url = str(written.get("base_url") or DEFAULT_URL)
    bota = written.get("bota")
    entry: dict[str, Any] = bota if isinstance(bota, dict) and _is_for(base_url, url) else {}
    key = api_key or _text(entry.get("api_key"))
    if not key:
        raise click.ClickException(
            "No API key: give --api-key or TAPEDECK_API_KEY; a service started here by `tapedeck serve` "
            "writes one for development to .data/dev-credentials.json (or in TAPEDECK_DATA_DIR, if set)."
        )
    return Connection(url or base_url, _Key(key), _text(entry.get("end_user_id")), attempts)


def run(work: Coroutine[Any, Any, None], *, advice: Callable[[], str | None] = lambda: None) -> None:
    """Run a command's work; failures become one sentence and exit code 1, Ctrl-C a clean end with code 130.

    `advice` says how to continue from there, if that is possible.
    """
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        _tell("\nStopped.", advice())
        sys.exit(INTERRUPTED)
    except ApiError as refusal:
        fail(str(refusal), advice() if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None)
    except Unreachable as silence:
        fail(str(silence), advice())
    except ClientFailure as failure:
        fail(str(failure))
    except OSError as error:
        fail(f"{error.filename or 'The disk'}: {error.strerror or error}.")


def fail(sentence: str, advice: str | None = None) -> NoReturn:
    """End with exit code 1 and one sentence on stderr, and how to continue if that is possible."""
    _tell(f"Error: {sentence}", advice)
    sys.exit(1)


def _tell(sentence: str, advice: str | None) -> None:
    click.echo(sentence, err=True)
    if advice:
        click.echo(advice, err=True)


def _development_credentials(data_dir: Path | None) -> dict[str, Any]:
    folder = data_dir or Path(os.environ.get("TAPEDECK_DATA_DIR") or ".data").expanduser()
    path = folder / "dev-credentials.json"
    try:
        written = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as error:
        click.echo(f"Warning: {path} cannot be read ({type(error).__name__}); continuing without it.", err=True)
        return {}
    return written if isinstance(written, dict) else {}


def _is_for(base_url: str, url: str | None) -> bool:
    """The development key is sent only to the service that wrote it, or to this machine."""
    return url is None or url.rstrip("/") == base_url.rstrip("/") or urlsplit(url).hostname in _LOOPBACK


def _tell_setback(reason: str, delay: timedelta) -> None:
    click.echo(f"The service: {reason}; trying again in {delay.total_seconds():.1f} s.", err=True)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

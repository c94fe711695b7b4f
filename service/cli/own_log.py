"""Commands that use the event log and its views beside the service: what they say when they cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from adapters.rebuilding import OtherSchema


@contextmanager
def needing_a_log() -> Iterator[None]:
    """A block that opens the log, and what is kept beside it; without a log, or if something cannot be reached, the
    command ends with one sentence."""
    from adapters.event_log.opening import NoEventLog  # noqa: PLC0415 - it takes a while to import
    from adapters.event_log.port import LogUnavailable  # noqa: PLC0415
    from adapters.sqlite_file import DatabaseUnavailable  # noqa: PLC0415

    try:
        yield
    except NoEventLog as missing:
        raise click.ClickException(
            f"{str(missing).rstrip('.')}; set TAPEDECK_DATA_DIR and TAPEDECK_DATABASE_URL as for the service."
        ) from None
    except (LogUnavailable, DatabaseUnavailable) as failure:
        raise click.ClickException(str(failure)) from None


def what_to_do(error: "OtherSchema") -> str:
    """The sentence of a view that a command leaves alone, and how to go on. Without a full stop."""
    return (
        f"{str(error).rstrip('.')}; use the command of the version that serves, "
        "or start the service with this version once"
    )

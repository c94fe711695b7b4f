"""`tapedeck rebuild`: rebuild a read model from the log's first event."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import click

from service.cli.own_log import needing_a_log, what_to_do
from service.runtime.settings import BadSettings, Settings, load_settings

if TYPE_CHECKING:
    from adapters.event_log.reader import EventReader


def _summaries(settings: Settings, events: "EventReader") -> int:
    from adapters.summaries import SummaryStore  # noqa: PLC0415
    from service.dialects.bota.rendering import recording_status  # noqa: PLC0415
    from service.runtime.places import views_place  # noqa: PLC0415

    summaries = SummaryStore(views_place(settings), status_of=recording_status)
    try:
        return summaries.rebuild(events.after)
    finally:
        summaries.close()


def _orders(settings: Settings, events: "EventReader") -> int:
    from adapters.note_orders import NoteOrderStore  # noqa: PLC0415
    from service.runtime.places import note_orders_place  # noqa: PLC0415

    orders = NoteOrderStore(note_orders_place(settings))
    try:
        return orders.rebuild(events.after)
    finally:
        orders.close()


def _sessions(settings: Settings, events: "EventReader") -> int:
    from adapters.ambient_sessions import AmbientSessionStore  # noqa: PLC0415
    from service.dialects.registry import session_of  # noqa: PLC0415
    from service.runtime.places import ambient_sessions_place  # noqa: PLC0415

    sessions = AmbientSessionStore(ambient_sessions_place(settings), session_of=session_of)
    try:
        return sessions.rebuild(events.after)
    finally:
        sessions.close()


def _search(settings: Settings, events: "EventReader") -> int:
    from service.runtime.search_rebuild import rebuild_search  # noqa: PLC0415

    return rebuild_search(settings, events)


def _usage(settings: Settings, events: "EventReader") -> int:
    from adapters.usage import UsageStore  # noqa: PLC0415
    from service.runtime.places import usage_place  # noqa: PLC0415

    usage = UsageStore(usage_place(settings))
    try:
        return usage.rebuild(events.after)
    finally:
        usage.close()


VIEWS: Mapping[str, Callable[[Settings, "EventReader"], int]] = {
    "summaries": _summaries,
    "orders": _orders,
    "sessions": _sessions,
    "search": _search,
    "usage": _usage,
}
"""Each rebuilds a view and returns the position of the last event in it."""


@click.command()
@click.argument("view", type=click.Choice(list(VIEWS)))
def rebuild(view: str) -> None:
    """Rebuild VIEW from the log's first event, in the data directory named in the settings.

    The service may be running meanwhile: queries see the old rows until the new ones are complete.
    """
    from adapters.blobs.port import BlobFailure  # noqa: PLC0415
    from adapters.event_log.opening import open_log  # noqa: PLC0415
    from adapters.event_log.port import LogUnavailable  # noqa: PLC0415
    from adapters.event_log.reader import EventReader  # noqa: PLC0415
    from adapters.rebuilding import OtherSchema, RebuildRunning  # noqa: PLC0415
    from adapters.sqlite_file import DatabaseUnavailable  # noqa: PLC0415
    from service.runtime.collector import settle_collector  # noqa: PLC0415

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    try:
        with needing_a_log():
            log = open_log(settings.log_url, must_exist=True)
        settle_collector()
        with closing(log):
            position = VIEWS[view](settings, EventReader(log.recorder))
    except OtherSchema as error:
        raise click.ClickException(f"{view} cannot be rebuilt: {what_to_do(error)}.") from None
    except (OSError, sqlite3.Error, DatabaseUnavailable, LogUnavailable, BlobFailure, RebuildRunning) as error:
        raise click.ClickException(f"{view} cannot be rebuilt: {str(error).rstrip('.')}.") from None
    click.echo(f"{view}: rebuilt from {position} events.")

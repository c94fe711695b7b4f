"""Where each store is: beside the event log in PostgreSQL, each in a schema of its own, or in files of DATA_DIR."""

from pathlib import Path

from adapters.database.port import Place, PostgresPlace
from adapters.event_log.url import is_postgres
from service.runtime.settings import ServiceSettings


def views_place(settings: ServiceSettings) -> Place:
    """The status view's."""
    return _place(settings, settings.views_path)


def positions_place(settings: ServiceSettings) -> Place:
    return _place(settings, settings.positions_path)


def note_orders_place(settings: ServiceSettings) -> Place:
    return _place(settings, settings.note_orders_path)


def ambient_sessions_place(settings: ServiceSettings) -> Place:
    """That of the view of ambient sessions."""
    return _place(settings, settings.ambient_sessions_path)


def search_place(settings: ServiceSettings) -> Place:
    """The search index's."""
    return _place(settings, settings.search_index_path)


def keys_place(settings: ServiceSettings) -> Place:
    return _place(settings, settings.keys_path)


def webhooks_place(settings: ServiceSettings) -> Place:
    return _place(settings, settings.webhooks_path)


def directory_place(settings: ServiceSettings) -> Place:
    return _place(settings, settings.directory_path)


def answers_place(settings: ServiceSettings) -> Place:
    """That of first answers to named requests."""
    return _place(settings, settings.answers_path)


def usage_place(settings: ServiceSettings) -> Place:
    """That of what projects use."""
    return _place(settings, settings.usage_path)


def quotas_place(settings: ServiceSettings) -> Place:
    """That of quotas that are set for single projects."""
    return _place(settings, settings.quotas_path)


def taken_place(settings: ServiceSettings) -> Place:
    """That of what several processes have taken of quotas, with a log in PostgreSQL."""
    return PostgresPlace(settings.log_url, "tapedeck_taken")


def hosts_place(settings: ServiceSettings) -> PostgresPlace:
    """That of what the hosts of one service know of each other."""
    return PostgresPlace(settings.log_url, "tapedeck_hosts")


def _place(settings: ServiceSettings, path: Path) -> Place:
    """The file; or the schema that is called like the file, where the log is in PostgreSQL."""
    if not is_postgres(settings.log_url):
        return path
    return PostgresPlace(settings.log_url, f"tapedeck_{path.stem}", before=path)

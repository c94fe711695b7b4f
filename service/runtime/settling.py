"""Opens the locks of blobs: for one process, for those of one machine, or for those of several."""

from contextlib import AsyncExitStack

from adapters.shared_locks import SharedLocks
from service.application.keyed_locks import KeyedLocks, Locks
from service.runtime.settings import ServiceSettings


def open_settling(opened: AsyncExitStack, settings: ServiceSettings) -> Locks:
    """Closed with `opened`. Raises: OSError."""
    if settings.peer_url is not None:
        from adapters.database.keyed_locks import LocksInDatabase  # noqa: PLC0415 - the embedded profile does without

        in_database = LocksInDatabase(settings.log_url)
        opened.push_async_callback(in_database.close)
        return in_database
    if settings.api_processes == 1:
        return KeyedLocks()
    of_machine = SharedLocks(settings.settling_path)
    opened.callback(of_machine.close)
    return of_machine

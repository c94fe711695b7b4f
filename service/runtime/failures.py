"""What keeps the service from starting, each with a sentence that says so."""

import sqlite3

from adapters.blobs.port import BlobFailure
from adapters.database.port import DatabaseInUse, OtherRelease
from adapters.event_log.port import LogUnavailable
from adapters.private_files import DamagedKey
from adapters.speech.port import SpeechError
from adapters.sqlite_file import DatabaseTooNew, DatabaseUnavailable
from adapters.tokens.allow_list_file import AllowListUnusable
from service.runtime.data_dir import DataDirInUse
from service.runtime.dev_credentials import BadDevCredentials


class StartFailed(Exception):
    """What a part says by itself. `str()` is one sentence."""


START_FAILURES = (
    OSError,
    ValueError,
    sqlite3.Error,
    BlobFailure,
    LogUnavailable,
    DatabaseInUse,
    DatabaseTooNew,
    DatabaseUnavailable,
    OtherRelease,
    DamagedKey,
    BadDevCredentials,
    AllowListUnusable,
    StartFailed,
    DataDirInUse,
    SpeechError,
)
"""What can be wrong with a directory, file or setting when the service's parts are opened."""

"""Bota: recordings streamed in chunks or uploaded as one file, their transcriptions and summaries, and webhooks."""

from typing import TYPE_CHECKING

from service.dialects.bota.dev_credentials import DEV_CREDENTIALS
from service.dialects.bota.identifiers import DIALECT, client_ids
from service.dialects.bota.settings import BotaSettings
from service.dialects.dialect import Dialect

if TYPE_CHECKING:
    from service.dialects.http.api import Api


def _api() -> "Api":
    from service.dialects.bota.api import API  # noqa: PLC0415 - see Dialect.api

    return API


BOTA = Dialect(
    name=DIALECT,
    api=_api,
    settings=BotaSettings,
    scopes=(
        "recordings:read",
        "recordings:write",
        "transcriptions:read",
        "transcriptions:write",
        "summaries:read",
        "summaries:write",
        "webhooks:read",
        "webhooks:write",
        "end_users:read",
        "end_users:write",
        "devices:read",
        "devices:write",
        "operations:read",
    ),
    dev_credentials=DEV_CREDENTIALS,
    client_ids=client_ids,
)

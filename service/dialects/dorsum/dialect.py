"""Dorsum: a consultation in chunks of samples, their words at once, and a clinical note at the end."""

from typing import TYPE_CHECKING

from service.dialects.dialect import Dialect
from service.dialects.dorsum.dev_credentials import DEV_CREDENTIALS
from service.dialects.dorsum.names import DIALECT, SCOPE, client_ids
from service.dialects.dorsum.settings import DorsumSettings

if TYPE_CHECKING:
    from service.dialects.http.api import Api


def _api() -> "Api":
    from service.dialects.dorsum.api import API  # noqa: PLC0415 - see Dialect.api

    return API


DORSUM = Dialect(
    name=DIALECT,
    api=_api,
    settings=DorsumSettings,
    scopes=(SCOPE,),
    dev_credentials=DEV_CREDENTIALS,
    client_ids=client_ids,
)

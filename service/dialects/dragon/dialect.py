"""Dragon: ambient audio in chunks and finalize, in any order, within sessions."""

from typing import TYPE_CHECKING

from service.dialects.dialect import Dialect
from service.dialects.dragon.dev_credentials import DEV_CREDENTIALS
from service.dialects.dragon.names import DIALECT, client_ids, session_of
from service.dialects.dragon.settings import DragonSettings

if TYPE_CHECKING:
    from service.dialects.http.api import Api


def _api() -> "Api":
    from service.dialects.dragon.api import API  # noqa: PLC0415 - see Dialect.api

    return API


DRAGON = Dialect(
    name=DIALECT,
    api=_api,
    settings=DragonSettings,
    dev_credentials=DEV_CREDENTIALS,
    client_ids=client_ids,
    session_of=session_of,
)

"""The dialects that the service speaks. A new one is a package beside these and a line here; nothing else lists all."""

from collections.abc import Mapping
from uuid import UUID

from domain.events import OpeningEvent, RecordingOpened
from service.dialects.bota.dialect import BOTA
from service.dialects.dialect import Dialect
from service.dialects.dorsum.dialect import DORSUM
from service.dialects.dragon.dialect import DRAGON

DIALECTS: tuple[Dialect, ...] = (BOTA, DORSUM, DRAGON)
"""In the order of the API reference and of the settings. The first also answers on paths that are nobody's."""

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def client_ids_of(stream_id: UUID, opened: OpeningEvent) -> Mapping[str, str]:
    """What clients call a recording, session or note order, as their dialect names it; empty for an unknown dialect."""
    dialect = _BY_NAME.get(opened.dialect)
    return {} if dialect is None else dialect.client_ids(stream_id, opened)


def session_of(opened: RecordingOpened) -> UUID | None:
    """The ambient session that a recording belongs to, as its dialect has it."""
    dialect = _BY_NAME.get(opened.dialect)
    return None if dialect is None else dialect.session_of(opened)

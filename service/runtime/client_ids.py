"""What clients know a recording or session by: each dialect says it for its own."""

from collections.abc import Callable, Mapping
from uuid import UUID

from domain.events import AmbientSessionOpened, RecordingOpened
from service.dialects.bota import identifiers as bota
from service.dialects.dorsum import names as dorsum
from service.dialects.dragon import names as dragon

_OF_DIALECT: Mapping[str, Callable[[UUID, RecordingOpened | AmbientSessionOpened], Mapping[str, str]]] = {
    bota.DIALECT: bota.client_ids,
    dorsum.DIALECT: dorsum.client_ids,
    dragon.DIALECT: dragon.client_ids,
}


def client_ids_of(stream_id: UUID, opened: RecordingOpened | AmbientSessionOpened) -> Mapping[str, str]:
    """Id by name, as the dialect names it; none where the dialect is not known."""
    of_dialect = _OF_DIALECT.get(opened.dialect)
    return {} if of_dialect is None else of_dialect(stream_id, opened)

"""The media types of files, told by their bytes alone."""

import io

from adapters.audio.container import CONTENT_TYPES, container_by_header, container_of

BEGINNING_BYTES = 4096
"""How many of a file's first bytes tell what it is."""

UNKNOWN = "application/octet-stream"


def media_type_of(beginning: bytes, size_bytes: int) -> str:
    """The media type of a file of `size_bytes`; `UNKNOWN` if it is none that players play as it is."""
    reader = io.BytesIO(beginning)
    container = container_by_header(reader, size_bytes) or container_of(reader, len(beginning))
    return UNKNOWN if container is None else CONTENT_TYPES.get(container, UNKNOWN)

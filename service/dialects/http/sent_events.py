"""Server-sent events as they are sent (the HTML standard, 9.2.6)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from service.dialects.http.gzip_pieces import Deflated

BLOCK_BYTES = 16 * 1024
"""Events that are ready together are sent together, up to about this size."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """`event`: None for one without a name, which clients take for a "message". `data`: one line in UTF-8. `id`: the
    place from which a listener goes on who has read this event; without one, it goes on from where it would have
    before."""

    event: str | None
    data: bytes
    id: str | None = None

    def encoded(self) -> bytes:
        its_id = b"" if self.id is None else b"id: %b\n" % self.id.encode()
        event = b"" if self.event is None else b"event: %b\n" % self.event.encode()
        return b"%b%bdata: %b\n\n" % (its_id, event, self.data)


class EncodedEvents:
    """Several events, encoded one after another, for all listeners that are told the same."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def deflated(self) -> Deflated:
        """For listeners that are told it in gzip. It is made when it is first asked for, once for all of them."""
        return Deflated(self.data)


Tellable = ServerSentEvent | EncodedEvents


def blocks(events: Sequence[Tellable]) -> Iterator[EncodedEvents]:
    """What is sent at once of them."""
    block = bytearray()
    for event in events:
        if isinstance(event, EncodedEvents):
            if block:
                yield EncodedEvents(bytes(block))
                block.clear()
            yield event  # not copied: others may be told the same
            continue
        block += event.encoded()
        if len(block) >= BLOCK_BYTES:
            yield EncodedEvents(bytes(block))
            block.clear()
    if block:
        yield EncodedEvents(bytes(block))

"""MPEG transport streams (ISO/IEC 13818-1): packets of 188 bytes (HLS), or of 192 with a time in front (M2TS)."""

# ruff: noqa: PLR2004 - the numbers here are the format's own, as its specification writes them

from typing import Literal

_SYNC = 0x47
_PACKETS_THAT_CONVINCE = 8
_PROGRAM_TABLE, _SERVICE_TABLE = 0x0000, 0x0011
LONGEST_PACKET = 192


def container_name(head: bytes) -> Literal["mpegts"] | None:
    """FFmpeg's name for a transport stream, if packets follow one another from the first byte on."""
    return "mpegts" if _packets_from(head) is not None else None


def begins_stream(head: bytes) -> bool:
    """Whether it is a beginning, and no slice that begins with a packet: its first packet is a table."""
    found = _packets_from(head)
    if found is None:
        return False
    packet = head[found[0] : found[0] + 4]
    begins_unit, program = packet[1] & 0x40, int.from_bytes(packet[1:3], "big") & 0x1FFF
    return bool(begins_unit) and program in (_PROGRAM_TABLE, _SERVICE_TABLE)


def has_packets(block: bytes) -> bool:
    """Whether packets follow one another anywhere in these bytes, or a packet's payload may fill them."""
    for size in (188, LONGEST_PACKET):
        for start in range(min(size, len(block))):
            if all(byte == _SYNC for byte in block[start::size][:_PACKETS_THAT_CONVINCE]):
                return True
    return False


def _packets_from(head: bytes) -> tuple[int, int] | None:
    for offset, size in ((0, 188), (4, LONGEST_PACKET)):
        syncs = head[offset::size][:_PACKETS_THAT_CONVINCE]
        # The shortest recording still has a few packets: two tables and its sound.
        if len(syncs) >= 3 and all(byte == _SYNC for byte in syncs) and head[offset + 1] < 0x80:
            return offset, size
    return None

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
    """Whether packets follow one another somewhere in these bytes. The payload of one may be all that is there."""
    if len(block) < LONGEST_PACKET:
        return True
    for size in (188, LONGEST_PACKET):
        for start in range(min(size, len(block))):
            if all(byte == _SYNC for byte in block[start::size][:_PACKETS_THAT_CONVINCE]):
                return True
    return False


def first_time(block: bytes) -> int | None:
    """The first time that is noted for sound or pictures, in units of 1/90000 s; None when none is in these bytes."""
    found = _packets_from(block)
    if found is None:
        return None
    offset, size = found
    for start in range(offset, len(block) - 188 + 1, size):
        packet = block[start : start + 188]
        payload = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        pes = packet[payload : payload + 14]
        if packet[1] & 0x40 and len(pes) == 14 and pes[:3] == b"\0\0\x01" and pes[3] >= 0xBC and pes[7] & 0x80:
            return (pes[9] >> 1 & 7) << 30 | pes[10] << 22 | (pes[11] >> 1) << 15 | pes[12] << 7 | pes[13] >> 1
    return None


def _packets_from(head: bytes) -> tuple[int, int] | None:
    for offset, size in ((0, 188), (4, LONGEST_PACKET)):
        syncs = head[offset::size][:_PACKETS_THAT_CONVINCE]
        # The shortest recording still has a few packets: two tables and its sound.
        if len(syncs) >= 3 and all(byte == _SYNC for byte in syncs) and head[offset + 1] < 0x80:
            return offset, size
    return None

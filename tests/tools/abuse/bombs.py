"""Bombs: small files that hold days of sound, which take the service hours to work through.

They attack workers: whoever holds one holds up everybody behind it.
"""

from adapters.audio.flac import StreamInfo

BLOCK_SAMPLES = 65_535
"""The longest frame that FLAC has. Of silence, it takes 15 bytes."""

_RATES_IN_FRAMES = {8_000: 4, 16_000: 5, 48_000: 10}
_SIXTEEN_BITS = 4


def flac_bomb(hours: float, *, claims_hours: float | None = None, rate: int = 8_000) -> bytes:
    """A valid FLAC file of so much silence, about 7 KB an hour at 8 kHz.

    `claims_hours`: what its header says; None for the truth, 0 for nothing, as a live encoder writes it.
    """
    frames = round(hours * 3600 * rate / BLOCK_SAMPLES)
    claimed = frames * BLOCK_SAMPLES if claims_hours is None else round(claims_hours * 3600 * rate)
    header = StreamInfo(
        smallest_block=BLOCK_SAMPLES,
        largest_block=BLOCK_SAMPLES,
        smallest_frame_bytes=0,
        largest_frame_bytes=0,
        rate=rate,
        channels=1,
        bits=16,
        samples=claimed,
        md5=bytes(16),
    )
    beginning = b"fLaC\x80\x00\x00\x22" + header.packed()
    return beginning + b"".join(_silent_frame(number, rate) for number in range(frames))


def _silent_frame(number: int, rate: int) -> bytes:
    """One constant subframe: RFC 9639, section 9."""
    rate_code = _RATES_IN_FRAMES[rate]
    header = bytes((0xFF, 0xF8, 0x70 | rate_code, _SIXTEEN_BITS << 1)) + chr(number).encode("utf-8", "surrogatepass")
    header += (BLOCK_SAMPLES - 1).to_bytes(2, "big")
    frame = header + bytes((_crc(header, 0x07, 8),)) + b"\x00\x00\x00"
    return frame + _crc(frame, 0x8005, 16).to_bytes(2, "big")


def _crc(content: bytes, polynomial: int, bits: int) -> int:
    top, mask, crc = 1 << bits - 1, (1 << bits) - 1, 0
    for byte in content:
        crc ^= byte << bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & mask
    return crc

"""Damaged recordings, each made anew from its seed: valid files, and what the world can do to their bytes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.adapters.audio.every_kind import EVERY_KIND, Kind
from tests.adapters.audio.real_life import Edit, TrackOf, with_data_size, with_edits, with_gaps, with_list, with_tracks
from tests.adapters.audio.samples import ADTS, M4A, MP3, OGG_OPUS, WEBM, Samples, cut, encoded, tone, wav

_SHORTEST_MS, _LONGEST_MS = 300, 1_000
_LENGTHS = 3
_HEADER_BYTES = 512


@dataclass(frozen=True, slots=True)
class AudioCase:
    """Chunks as they reach `stitch`. `story`: what was done to which files. `sound_ms`: of the files before that."""

    seed: int
    story: tuple[str, ...]
    chunks: tuple[bytes, ...]
    sound_ms: int


def case_of(seed: int) -> AudioCase:
    """The case of this seed; the same one in every process."""
    chance = random.Random(seed)
    kinds = chance.choices(_KINDS, k=chance.choice((1, 1, 1, 2, 2, 3)))
    if chance.random() < 0.4:
        kinds = kinds[:1] * len(kinds)
    story: list[str] = []
    files: list[bytes] = []
    sound_ms = 0
    for kind in kinds:
        number = chance.randrange(_LENGTHS)
        content = _valid(kind, number)
        sound_ms += _milliseconds(number) + _MOST_OF_A_GAP_MS
        story.append(f"{kind} {number}")
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            content = _damaged(content, chance, story)
        files.append(content)
    chunks = _chunks(files, chance, story)
    return AudioCase(seed, tuple(story), tuple(chunks), sound_ms)


@cache
def _valid(kind: Kind | str, number: int) -> bytes:
    """`number` chooses the length."""
    milliseconds = _milliseconds(number)
    if isinstance(kind, Kind):
        return kind.made(tone(milliseconds * kind.rate // 1000, rate=kind.rate, channels=kind.channels))
    return _REAL_LIFE[kind](tone(milliseconds * 16, rate=16_000))


def _milliseconds(number: int) -> int:
    return _SHORTEST_MS + number * (_LONGEST_MS - _SHORTEST_MS) // (_LENGTHS - 1)


def _two_tracks(muxer: str, codec: str) -> Callable[[Samples], bytes]:
    return lambda sound: with_tracks(muxer, [TrackOf("aac", 16_000, sound), TrackOf(codec, 48_000, sound, 0.2)])


def _gap(kind: str, muxer: str) -> Callable[[Samples], bytes]:
    gap = _MOST_OF_A_GAP_MS / 1000
    return lambda sound: with_gaps(encoded(kind, sound, rate=16_000, muxer_options=_BITEXACT), muxer, [(0.15, gap)])


def _edited(sound: Samples) -> bytes:
    whole = encoded(M4A, sound, rate=16_000, muxer_options=_BITEXACT)
    return with_edits(whole, [Edit(None, 0.5), Edit(0.1, 0.1), Edit(0.2, 0.05)])


def _of_two_rates(kind: str) -> Callable[[Samples], bytes]:
    return lambda sound: b"".join(encoded(kind, sound, rate=rate, muxer_options=_BITEXACT) for rate in (16_000, 48_000))


def _chained(sound: Samples) -> bytes:
    both = np.concatenate([sound, sound])
    return b"".join(encoded(OGG_OPUS, one, rate=16_000, muxer_options=_BITEXACT) for one in (sound, both))


_BITEXACT = {"fflags": "+bitexact"}
_MOST_OF_A_GAP_MS = 1_000
_REAL_LIFE: dict[str, Callable[[Samples], bytes]] = {
    "two tracks in MOV": _two_tracks("mov", "aac"),
    "two tracks in Matroska": _two_tracks("matroska", "libopus"),
    "gap in Ogg": _gap(OGG_OPUS, "ogg"),
    "gap in WebM": _gap(WEBM, "webm"),
    "gap in M4A": _gap(M4A, "ipod"),
    "edit list": _edited,
    "ADTS of two rates": _of_two_rates(ADTS),
    "MP3 of two rates": _of_two_rates(MP3),
    "chained Opus, mono and stereo": _chained,
    "two WAVs in one body": lambda sound: wav(sound) * 2,
    "two M4As in one body": lambda sound: encoded(M4A, sound, rate=16_000, muxer_options=_BITEXACT) * 2,
    "WAV with a LIST too large": lambda sound: with_list(wav(sound), excess=1),
    "WAV sized for its beginning": lambda sound: with_data_size(wav(sound), 3_000),
}
_KINDS: tuple[Kind | str, ...] = (*EVERY_KIND, *_REAL_LIFE)


def _damaged(content: bytes, chance: random.Random, story: list[str]) -> bytes:
    damage = chance.choice(_DAMAGES)
    start, stop = _stretch(len(content), chance)
    story.append(f"{damage.__name__.removeprefix('_')} {start}..{stop}")
    return damage(content, start, stop, chance)


def _stretch(size: int, chance: random.Random) -> tuple[int, int]:
    """A range of positions, often in the header, often short."""
    if size == 0:
        return 0, 0
    start = chance.randrange(min(size, _HEADER_BYTES)) if chance.random() < 0.4 else chance.randrange(size)
    longest = chance.choice((1, 4, 16, 400, size))
    return start, min(size, start + chance.randint(1, longest))


def _bits_flipped(content: bytes, start: int, stop: int, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if start < stop:
            changed[chance.randrange(start, stop)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _bytes_changed(content: bytes, start: int, stop: int, chance: random.Random) -> bytes:
    return content[:start] + chance.randbytes(stop - start) + content[stop:]


def _zeroed(content: bytes, start: int, stop: int, _: random.Random) -> bytes:
    return content[:start] + bytes(stop - start) + content[stop:]


def _filled(content: bytes, start: int, stop: int, chance: random.Random) -> bytes:
    """With the values at which counts and sizes overflow."""
    return content[:start] + chance.choice((b"\xff", b"\x7f", b"\x80", b"\x01")) * (stop - start) + content[stop:]


def _cut_out(content: bytes, start: int, stop: int, _: random.Random) -> bytes:
    return content[:start] + content[stop:]


def _cut_off(content: bytes, start: int, _: int, __: random.Random) -> bytes:
    return content[:start]


def _beheaded(content: bytes, start: int, _: int, __: random.Random) -> bytes:
    return content[start:]


def _doubled(content: bytes, start: int, stop: int, _: random.Random) -> bytes:
    return content[:stop] + content[start:stop] + content[stop:]


def _moved(content: bytes, start: int, stop: int, chance: random.Random) -> bytes:
    rest = content[:start] + content[stop:]
    to = chance.randint(0, len(rest))
    return rest[:to] + content[start:stop] + rest[to:]


def _inserted(content: bytes, start: int, stop: int, chance: random.Random) -> bytes:
    return content[:start] + chance.randbytes(stop - start) + content[start:]


def _zeros_behind(content: bytes, start: int, stop: int, _: random.Random) -> bytes:
    return content + bytes(stop - start)


_DAMAGES: Sequence[Callable[[bytes, int, int, random.Random], bytes]] = (
    _bits_flipped,
    _bits_flipped,
    _bytes_changed,
    _zeroed,
    _filled,
    _cut_out,
    _cut_off,
    _beheaded,
    _doubled,
    _moved,
    _inserted,
    _zeros_behind,
)


def _chunks(files: Sequence[bytes], chance: random.Random, story: list[str]) -> list[bytes]:
    if len(files) > 1 and chance.random() < 0.3:
        story.append("in one body")
        files = [b"".join(files)]
    chunks = list(files)
    if chance.random() < 0.5:
        chunks = [chunk for file in files for chunk in _slices(file, chance)]
        story.append(f"in {len(chunks)} chunks")
    for _ in range(chance.choice((0, 0, 1, 2))):
        _rearranged(chunks, chance, story)
    return chunks


def _slices(content: bytes, chance: random.Random) -> list[bytes]:
    if len(content) < 2:
        return [content]
    return cut(content, *(chance.randrange(1, len(content)) for _ in range(chance.randint(1, 5))))


def _rearranged(chunks: list[bytes], chance: random.Random, story: list[str]) -> None:
    """One chunk lost, sent twice, swapped with another or empty. At least one stays."""
    at = chance.randrange(len(chunks))
    match chance.choice(("lost", "doubled", "swapped", "emptied")):
        case "lost" if len(chunks) > 1:
            story.append(f"chunk {at + 1} lost")
            del chunks[at]
        case "doubled":
            story.append(f"chunk {at + 1} doubled")
            chunks.insert(at, chunks[at])
        case "emptied" if chance.random() < 0.2:
            story.append(f"chunk {at + 1} emptied")
            chunks[at] = b""
        case _:
            other = chance.randrange(len(chunks))
            story.append(f"chunks {at + 1} and {other + 1} swapped")
            chunks[at], chunks[other] = chunks[other], chunks[at]

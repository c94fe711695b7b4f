"""Stitches a recording's chunks into one file with PyAV; the same chunks give the same bytes, in constant memory.

Chunks are whole files, slices of one file, or some of both: see `whole_files`. The result is what a player plays of
them, on the files' own clocks:

- One file that every player plays alike has its chunks concatenated: the result is the recorded file, byte for byte.
- Several files of one form are joined with their packets untouched, where that is exact: see `remuxing`.
- All else is decoded and encoded as one FLAC file: files that differ or that players trim, several tracks (as further
  channels), gaps in the clock (as silence), damaged files, and containers that few players know.

What cannot be decoded is left out and told as `Damage`. A WAV of more than 4 GiB is written as RF64. Synchronous: it
runs in a worker process.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal

from adapters.audio.as_it_came import CameWhole, survey_as_it_came
from adapters.audio.chunk_bytes import READ_SIZE_BYTES, ChunkRun, MeasuredChunks, OpenChunk
from adapters.audio.container import CONTENT_TYPES, Container
from adapters.audio.damage import Damage, DamageReason
from adapters.audio.demuxing import links_of
from adapters.audio.errors import ChecksumMismatch, NotAudio, TooLong, UnsupportedAudio
from adapters.audio.reencoding import reencode
from adapters.audio.remuxing import remux
from adapters.audio.survey import Survey, TooMuchSound, survey
from adapters.audio.wav import read_wave
from adapters.audio.whole_files import FoundFiles, WholeFile, whole_files

Method = Literal["concatenated", "remuxed", "reencoded"]

_WEBM_CODECS = ("opus", "vorbis")
"""What WebM may hold; with another codec the same container is plain Matroska."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StitchedAudio:
    """What was written, and what could not be.

    `codec` is FFmpeg's name for it; `chunks_md5` is the hex MD5 of the chunks' bytes in order. `damage` is ordered by
    chunk number.
    """

    duration_ms: int
    content_type: str
    codec: str
    method: Method
    chunks_md5: str
    damage: tuple[Damage, ...] = ()


def stitch(
    chunks: Sequence[OpenChunk],
    output: Path,
    *,
    numbers: Sequence[int] | None = None,
    checksum_md5: str | None = None,
    longest: timedelta | None = None,
    came: CameWhole | None = None,
) -> StitchedAudio:
    """Write the chunks, given in order, as one file to `output`, which exists afterwards only if all went well.

    `numbers`: what damage and errors call the chunks; from 1 on unless given. `longest`: the most that they may last
    together; None for no limit. What is longer, or says so, is refused without decoding the rest. `came`: what was
    found of a file while it came; if the chunks are that file, they are not decoded again.

    Raises: ChecksumMismatch, NotAudio, UnsupportedAudio, TooLong (see `AudioError`: trying again cannot help); OSError
    when a chunk cannot be read or the output cannot be written. Making the output durable is up to the caller.
    """
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        copy = Path(scratch) / "chunks"
        measured = MeasuredChunks.copied(chunks, copy, numbers)
        if checksum_md5 is not None and checksum_md5.lower() != measured.md5:
            raise ChecksumMismatch(expected=checksum_md5.lower(), actual=measured.md5)
        found = whole_files(measured)
        known = _known(found, copy, came, longest) if came is not None else None
        surveys, damage = ([known], ()) if known is not None else _surveyed(found, longest)
        return _stitched(measured, surveys, damage, copy, output)


def _known(found: FoundFiles, copy: Path, came: CameWhole, longest: timedelta | None) -> Survey | None:
    """The survey of all chunks, if they are just the file that came."""
    is_one = len(found.files) == 1 and not found.damage and found.files[0].run.size_bytes == copy.stat().st_size
    if not is_one or len(found.files[0].run.stretches) != 1:
        return None
    with copy.open("rb") as reader:
        if hashlib.file_digest(reader, "sha256").hexdigest() != came.sha256:
            return None
    try:
        return survey_as_it_came(found.files[0], came, most_seconds=_seconds(longest))
    except (NotAudio, UnsupportedAudio):
        return None  # the survey says what is wrong with it


def _stitched(
    measured: MeasuredChunks, surveys: list[Survey], damage: tuple[Damage, ...], copy: Path, output: Path
) -> StitchedAudio:
    try:
        container, method = _write(surveys, copy, output)
        result = surveys[0] if method == "concatenated" else survey(_written_file(container, output))
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    codec = result.sounds[0].codec
    return StitchedAudio(
        duration_ms=round(result.seconds * 1000),
        content_type=_content_type(container, codec),
        codec=codec,
        method=method,
        chunks_md5=measured.md5,
        damage=damage,
    )


def _surveyed(found: FoundFiles, longest: timedelta | None) -> tuple[list[Survey], tuple[Damage, ...]]:
    """Every file that can be decoded. Raises: TooLong; the first file's AudioError when none can be."""
    left = _seconds(longest)
    surveys: list[Survey] = []
    damage = list(found.damage)
    known = {number for each in damage for number in range(each.chunk_number - 1, each.chunk_number + 2)}
    refused: NotAudio | UnsupportedAudio | None = None
    for file in chain.from_iterable(map(links_of, found.files)):
        try:
            surveys.append(survey(file, most_seconds=left))
        except TooMuchSound:
            raise TooLong(longest or timedelta()) from None
        except (NotAudio, UnsupportedAudio) as error:
            refused = refused or error
            damage += _damage_of(file, error)
        else:
            left = None if left is None else left - surveys[-1].seconds
            # Frames are lost at the edges of a chunk that is lost.
            found_here = surveys[-1].damage
            damage += (each for each in found_here if each.reason != "damaged" or each.chunk_number not in known)
    if not surveys:
        raise refused or NotAudio(chunk_number=None, detail="has no sound")
    once = {(each.chunk_number, each.reason): each for each in reversed(damage)}
    return surveys, tuple(once[key] for key in sorted(once))


def _seconds(longest: timedelta | None) -> Fraction | None:
    return None if longest is None else Fraction(longest / timedelta(seconds=1))


def _damage_of(file: WholeFile, error: NotAudio | UnsupportedAudio) -> Iterator[Damage]:
    reason: DamageReason = "not_audio" if isinstance(error, NotAudio) else "unsupported_audio"
    for number in file.run.numbers_in(range(file.run.size_bytes)):
        message = f"Chunk {number} {error.detail}; it was left out."
        yield Damage(chunk_number=number, reason=reason, message=message)


def _content_type(container: Container, codec: str) -> str:
    if container is Container.MATROSKA and codec not in _WEBM_CODECS:
        return "audio/matroska"
    return CONTENT_TYPES[container]


def _write(surveys: Sequence[Survey], copy: Path, output: Path) -> tuple[Container, Method]:
    """`copy`: the file that all chunks are in, which is taken for the output if it is just that."""
    if len(surveys) == 1 and _plays_as_it_is(surveys[0]):
        run = surveys[0].file.run
        if len(run.stretches) == 1 and run.size_bytes == copy.stat().st_size:
            copy.replace(output)
        else:
            _concatenate(run, output)
        return surveys[0].file.container, "concatenated"
    with output.open("w+b") as written:
        container = remux(surveys, written)
        if container is not None:
            return container, "remuxed"
        reencode(surveys, written)
        return Container.FLAC, "reencoded"


def _plays_as_it_is(survey: Survey) -> bool:
    """Whether every player plays the file as it was decoded here."""
    if not survey.is_plain or survey.file.container not in CONTENT_TYPES:
        return False
    if survey.file.container is not Container.WAV:
        return True
    run = survey.file.run
    with run.open() as reader:
        wave = read_wave(reader, run.size_bytes)
    return wave is not None and wave.sizes_are_right


def _concatenate(run: ChunkRun, output: Path) -> None:
    with run.open() as reader, output.open("wb") as written:
        shutil.copyfileobj(reader, written, READ_SIZE_BYTES)


def _written_file(container: Container, path: Path) -> WholeFile:
    return WholeFile(container, ChunkRun.of_file(lambda: path.open("rb")))

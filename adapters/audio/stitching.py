"""Stitches a recording's chunks into one file with PyAV; the same chunks give the same bytes, in constant memory.

Chunks are whole files, slices of one file, or some of both: see `whole_files`.

- One file, whole or in slices, has its chunks concatenated: the result is the recorded file, byte for byte.
- Several files of one codec are remuxed, their packets untouched. WAV and FLAC are exact to the sample. Ogg Opus is
  within 20 ms per join; the other codecs add their encoder's delay and padding at each join, and no packet is lost.
- Files that differ too much for that (codec, rate, channels) are decoded and encoded as one FLAC file.

A WAV of more than 4 GiB is written as RF64. Synchronous: it runs in a worker process.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from adapters.audio.chunk_bytes import ChunkRun, MeasuredChunks, OpenChunk
from adapters.audio.container import Container
from adapters.audio.damage import Damage
from adapters.audio.demuxing import Sound, sound_of
from adapters.audio.errors import ChecksumMismatch
from adapters.audio.reencoding import reencode
from adapters.audio.remuxing import WEBM_CODECS, CanNotRemux, remux
from adapters.audio.whole_files import WholeFile, whole_files
from adapters.blobs.copying import copy_blob

Method = Literal["concatenated", "remuxed", "reencoded"]

_CONTENT_TYPES = {
    Container.OGG: "audio/ogg",
    Container.WAV: "audio/wav",
    Container.FLAC: "audio/flac",
    Container.MP3: "audio/mpeg",
    Container.ADTS: "audio/aac",
    Container.MP4: "audio/mp4",
    Container.MATROSKA: "audio/webm",
    Container.W64: "audio/x-w64",
    Container.AIFF: "audio/aiff",
    Container.CAF: "audio/x-caf",
    Container.AU: "audio/basic",
    Container.AMR: "audio/amr",
    Container.MPEG_TS: "video/mp2t",
    Container.MPEG_PS: "video/mpeg",
    Container.ASF: "audio/x-ms-wma",
    Container.AVI: "video/x-msvideo",
    Container.FLV: "video/x-flv",
    Container.AC3: "audio/ac3",
    Container.EAC3: "audio/eac3",
    Container.WAVPACK: "audio/x-wavpack",
    Container.APE: "audio/x-ape",
    Container.TTA: "audio/x-tta",
}


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


def stitch(chunks: Sequence[OpenChunk], output: Path, *, checksum_md5: str | None = None) -> StitchedAudio:
    """Write the chunks, given in order, as one file to `output`, which exists afterwards only if all went well.

    Raises: ChecksumMismatch, NotAudio, UnsupportedAudio (see `AudioError`: trying again cannot help); OSError when a
    chunk cannot be read or the output cannot be written. Making the output durable is up to the caller.
    """
    measured = MeasuredChunks.of(chunks)
    if checksum_md5 is not None and checksum_md5.lower() != measured.md5:
        raise ChecksumMismatch(expected=checksum_md5.lower(), actual=measured.md5)
    found = whole_files(measured)
    files = found.files
    sounds = [sound_of(file) for file in files]
    try:
        with output.open("w+b") as written:
            container, method = _write(files, sounds, written)
        sound = sounds[0] if method == "concatenated" else sound_of(_written_file(container, output))
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    return StitchedAudio(
        duration_ms=round(sound.seconds * 1000),
        content_type=_content_type(container, sound.codec),
        codec=sound.codec,
        method=method,
        chunks_md5=measured.md5,
        damage=found.damage,
    )


def _content_type(container: Container, codec: str) -> str:
    if container is Container.MATROSKA and codec not in WEBM_CODECS:
        return "audio/matroska"
    return _CONTENT_TYPES[container]


def _write(files: Sequence[WholeFile], sounds: Sequence[Sound], output: BinaryIO) -> tuple[Container, Method]:
    if len(files) == 1:
        _concatenate(files[0].run, output)
        return files[0].container, "concatenated"
    try:
        container = remux(files, sounds, output)
    except CanNotRemux:
        container = None
    if container is not None:
        return container, "remuxed"
    output.seek(0)
    output.truncate()
    reencode(files, sounds, output)
    return Container.FLAC, "reencoded"


def _concatenate(run: ChunkRun, output: BinaryIO) -> None:
    for index, piece in enumerate(run.pieces):
        with piece.open_chunk() as reader:
            if piece.start == 0 and reader.seek(0, os.SEEK_END) == piece.size_bytes:
                copy_blob(reader, output)
                continue
        with run.part(run.edges[index], run.edges[index + 1]).open() as part:
            copy_blob(part, output)


def _written_file(container: Container, path: Path) -> WholeFile:
    return WholeFile(container, ChunkRun.of_file(lambda: path.open("rb")))

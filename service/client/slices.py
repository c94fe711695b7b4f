"""A file cut into byte slices: which ones there are, and the bytes of each."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from service.client.answers import Chunk
from service.client.errors import CannotResume, ClientFailure, FileChanged

DEFAULT_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Slice:
    """A future chunk: bytes `offset` to `offset + size_bytes` of the file. Numbers start at 1."""

    number: int
    offset: int
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class CutFile:
    """A file and its slices in order, with the MD5 of the whole (both in lower-case hex)."""

    path: Path
    size_bytes: int
    slices: tuple[Slice, ...]
    md5: str

    def read(self, piece: Slice) -> bytes:
        """Return a slice's bytes. Raises: FileChanged when they are no longer those that were cut."""
        with self.path.open("rb") as file:
            file.seek(piece.offset)
            content = file.read(piece.size_bytes)
        if _md5(content) != piece.md5:
            raise FileChanged(f"{self.path} was changed while it was being uploaded; upload it again.")
        return content


def cut(path: Path, chunk_bytes: int, max_chunks: int) -> CutFile:
    """Cut `path` into slices of `chunk_bytes`, or larger ones if there would be more than `max_chunks`.

    Reads the file once, with one slice at a time in memory. Raises: ClientFailure when it is empty; OSError.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise ClientFailure(f"{path} is empty.")
    chunk_bytes = enlarged(size_bytes, chunk_bytes, max_chunks)
    whole = hashlib.md5(usedforsecurity=False)
    slices: list[Slice] = []
    with path.open("rb") as file:
        offset = 0
        while content := file.read(chunk_bytes):
            whole.update(content)
            slices.append(Slice(len(slices) + 1, offset, len(content), _md5(content)))
            offset += len(content)
    return CutFile(path, offset, tuple(slices), whole.hexdigest())


def cut_like(path: Path, stored: list[Chunk], chunk_bytes: int, max_chunks: int) -> CutFile:
    """Cut `path` as it was cut when `stored` was uploaded.

    Raises: CannotResume when those chunks are not slices of this file; ClientFailure; OSError.
    """
    if not stored:
        return cut(path, chunk_bytes, max_chunks)
    size_bytes = path.stat().st_size
    for candidate in _sizes_used(stored, size_bytes):
        if all(_fits(chunk, candidate, size_bytes) for chunk in stored):
            found = cut(path, candidate, max_chunks)
            if missing_from(found, stored) is not None:
                return found
    raise CannotResume(f"The recording's chunks are from another file, not {path}.")


def missing_from(file: CutFile, stored: list[Chunk]) -> tuple[Slice, ...] | None:
    """Return the slices that are not among `stored`; None when a stored chunk is not from this file."""
    held = {chunk.number: chunk.md5 for chunk in stored}
    ours = {piece.number: piece.md5 for piece in file.slices}
    if any(ours.get(number) != md5 for number, md5 in held.items()):
        return None
    return tuple(piece for piece in file.slices if piece.number not in held)


def enlarged(size_bytes: int, chunk_bytes: int, max_chunks: int) -> int:
    """Return the smallest chunk size, from `chunk_bytes` up, that needs at most `max_chunks` chunks."""
    return max(chunk_bytes, -(-size_bytes // max_chunks), 1)


def _sizes_used(stored: list[Chunk], size_bytes: int) -> list[int]:
    """The chunk sizes that could have been used: a full chunk's own size, or what the last, short one leaves."""
    largest = max(chunk.size_bytes for chunk in stored)
    last = max(stored, key=lambda chunk: chunk.number)
    rest, others = size_bytes - last.size_bytes, last.number - 1
    from_last = [rest // others] if others and rest > 0 and rest % others == 0 else []
    return [size for size in [largest, *from_last] if size > 0]


def _fits(chunk: Chunk, chunk_bytes: int, size_bytes: int) -> bool:
    offset = (chunk.number - 1) * chunk_bytes
    return chunk.size_bytes == min(chunk_bytes, size_bytes - offset)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

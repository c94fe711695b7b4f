"""The part of a seekable reader that is the same whatever is read: where in it the next read begins."""

import io
from abc import abstractmethod


class SeekableReader(io.RawIOBase):
    """A subclass says how much there is, and reads from `position` on."""

    def __init__(self) -> None:
        super().__init__()
        self.position = 0

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """How much can be read."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("a position before the first byte")
        self.position = base + offset
        return self.position

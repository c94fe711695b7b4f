"""What is recorded, each recording unlike every other one, and an engine that hears it quickly.

Sound, names and transcripts have a token of their recording in them, so that one look at a disk or at a table says
which recordings have left something there.
"""

import hashlib
import io
import re
import wave
from dataclasses import dataclass
from random import Random

from aiohttp import web

from tests.tools.free_ports import free_port

TOKEN = re.compile(rb"zq([a-p]{16})qz")
_RATE = 16_000
_LITTLE = bytes(byte & 7 for byte in range(256))
_EVERY_BYTES = 2_000
"""A token is so far from the next one in the sound."""


def token_of(number: int) -> str:
    """Sixteen letters; other ones for each number."""
    return in_letters(hashlib.sha256(b"%d" % number).hexdigest()[:16])


def in_letters(hexadecimal: str) -> str:
    return hexadecimal.translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))


def marked(token: str) -> str:
    return f"zq{token}qz"


def tokens_in(content: bytes) -> set[str]:
    """The recordings that have left something in these bytes."""
    return {found.decode() for found in TOKEN.findall(content)}


def heard_in(audio: bytes) -> str:
    """What the engine says of a file: its token, and a word that no other bytes have."""
    tokens = " ".join(sorted(marked(token) for token in tokens_in(audio)))
    return f"{tokens} {in_letters(hashlib.sha256(audio).hexdigest()[:24])}"


@dataclass(frozen=True)
class Recorded:
    """A WAV file in slices of `sizes`. Made anew when asked for, always the same: a long run has many. `replaced`: the
    slice for which other bytes come first, if any; never the first one, which has the header."""

    number: int
    sizes: tuple[int, ...]
    replaced: int | None = None

    @property
    def token(self) -> str:
        return token_of(self.number)

    def bodies(self) -> list[bytes]:
        """In order; slice n is the body at n - 1."""
        return self._slices(_wav(sum(self.sizes), Random(self.number), self.token))

    def other_body(self) -> bytes:
        """What comes first for the slice that is replaced."""
        assert self.replaced is not None
        other = _wav(sum(self.sizes), Random(-self.number - 1), self.token)
        return self._slices(other)[self.replaced - 1]

    def _slices(self, content: bytes) -> list[bytes]:
        ends = [sum(self.sizes[: index + 1]) for index in range(len(self.sizes))]
        return [content[end - size : end] for end, size in zip(ends, self.sizes, strict=True)]


def recorded(number: int, chance: Random) -> Recorded:
    """Mostly small, so that slices share objects in the bucket; some have slices that are objects of their own."""
    largest = 400_000 if chance.random() < 0.08 else 16_000
    sizes = tuple(2 * chance.randint(2_000, largest // 2) for _ in range(chance.randint(1, 6)))
    replaced = chance.randint(2, len(sizes)) if len(sizes) > 1 and chance.random() < 0.2 else None
    return Recorded(number, sizes, replaced)


def _wav(size_bytes: int, chance: Random, token: str) -> bytes:
    """A file of this size. All samples are above zero, so that no bytes of them begin like a file of another kind."""
    header = io.BytesIO()
    with wave.open(header, "wb") as file:
        file.setparams((1, 2, _RATE, 0, "NONE", "NONE"))
        file.writeframes(b"")
        head_bytes = header.tell()
    samples = bytearray(size_bytes - head_bytes)
    samples[0::2] = chance.randbytes(len(samples) // 2)
    samples[1::2] = chance.randbytes(len(samples) // 2).translate(_LITTLE)
    mark = marked(token).encode()
    for start in range(0, len(samples) - len(mark), _EVERY_BYTES):
        samples[start : start + len(mark)] = mark
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setparams((1, 2, _RATE, 0, "NONE", "NONE"))
        file.writeframes(bytes(samples))
    return whole.getvalue()


class Engine:
    """An endpoint that speaks OpenAI's protocol, and says of each file what `heard_in` does."""

    def __init__(self) -> None:
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self.heard = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def start(self) -> "Engine":
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/v1/audio/transcriptions", self._transcribe)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        text = heard_in(file.file.read())
        self.heard += 1
        return web.json_response({"text": text, "segments": [{"start": 0, "end": 0.05, "text": text}]})

"""What is recorded: sound with speech in it, and how its chunks arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from adapters.audio.decoding import SAMPLE_RATE, pcm_blocks
from service import sample
from tests.adapters.audio.samples import Samples, encoded, wav

_SPEECH_SECONDS = (5, 9)
_PAUSE_SECONDS = (8, 35)
_LOUDEST_NOISE = 3
"""Of 32 768: it is not heard, and makes every part of the sound unlike every other one."""

_CHUNK_BYTES = {"wav": (80_000, 500_000), "opus": (20_000, 120_000)}


@dataclass(frozen=True)
class Recorded:
    """A file that many recordings consist of. `kind` is wav or opus."""

    name: str
    kind: str
    content: bytes


def recorded(name: str, kind: str, chance: Random) -> Recorded:
    """One to three minutes: some of the sample's speech, each time followed by a pause."""
    speech, pieces = _sample(), []
    for _ in range(chance.randint(3, 5)):
        length = chance.randint(*_SPEECH_SECONDS) * SAMPLE_RATE
        start = chance.randrange(len(speech) - length)
        pieces += [speech[start : start + length], np.zeros(chance.randint(*_PAUSE_SECONDS) * SAMPLE_RATE, np.int16)]
    sound = np.concatenate(pieces)
    noise = np.random.default_rng(chance.getrandbits(32)).integers(-_LOUDEST_NOISE, _LOUDEST_NOISE, len(sound))
    both = np.clip(sound + noise, -32_768, 32_767).astype(np.int16).reshape(1, -1)
    content = wav(both) if kind == "wav" else encoded("ogg libopus", np.repeat(both, 3, axis=1))
    return Recorded(name, kind, content)


def _sample() -> Samples:
    with sample.audio_file() as path:
        return np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))


@dataclass(frozen=True)
class Arrival:
    """How one recording's chunks come. `bodies`: by number, from 1 on. `puts`: number and body, in order; the last body
    that comes for a number is that of `bodies`."""

    bodies: dict[int, bytes]
    puts: tuple[tuple[int, bytes], ...]

    @property
    def replaces(self) -> bool:
        return len(self.puts) > len(self.bodies)


def arrival(what: Recorded, chance: Random) -> Arrival:
    """Mostly in order; some chunks come late, and in some recordings other bytes come first for some numbers."""
    bodies = dict(enumerate(_cut(what, chance), start=1))
    late = chance.sample(sorted(bodies), k=min(len(bodies) - 1, chance.choice((0, 1, 1, 3))))
    puts = [(number, bodies[number]) for number in bodies if number not in late]
    for number in late:
        puts.insert(chance.randint(min(number, len(puts)), len(puts)), (number, bodies[number]))
    for number in chance.sample(sorted(bodies), k=min(len(bodies), chance.choice((0, 0, 1, 2)))):
        place = next(place for place, put in enumerate(puts) if put[0] == number)
        puts[place] = (number, _other(bodies[number], chance))
        puts.insert(chance.randint(place + 1, len(puts)), (number, bodies[number]))
    return Arrival(bodies, tuple(puts))


def _cut(what: Recorded, chance: Random) -> Iterator[bytes]:
    start = 0
    while start < len(what.content):
        end = start + chance.randint(*_CHUNK_BYTES[what.kind])
        yield what.content[start:end]
        start = end


def _other(body: bytes, chance: Random) -> bytes:
    return body[::-1] if chance.random() < 0.5 else chance.randbytes(len(body) // 2 + 1)

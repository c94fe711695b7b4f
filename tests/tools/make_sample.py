"""Recreates the speech sample: `python -m tests.tools.make_sample [FILE]`, with flite on the PATH.

Each turn of `service/sample/consultation.txt` is spoken by flite (the doctor by its voice `rms`, the patient by `slt`)
with a pause after each turn, then encoded as mono Opus at 24 kbit/s. The same flite and libopus give the same
bytes. The tests and the demo use the committed file: flite is needed only to change the text.
"""

import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from service import sample

VOICES = {"Doctor": "rms", "Patient": "slt"}
SAMPLE_RATE = 16_000
PAUSE_SECONDS = 0.7
BIT_RATE = 24_000

Pcm = NDArray[np.int16]


def main() -> None:
    room = Path(sample.__file__).parent
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else room / "consultation.opus"
    speech = np.concatenate(list(spoken(sample.spoken_text())))
    encode(speech, target)
    print(f"{target}: {len(speech) / SAMPLE_RATE:.1f} s, {target.stat().st_size} bytes")


def spoken(text: str) -> Iterator[Pcm]:
    pause = np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.int16)
    yield pause
    for line in text.splitlines():
        speaker, _, words = line.partition(": ")
        yield say(words, VOICES[speaker])
        yield pause


def say(words: str, voice: str) -> Pcm:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        command = ["flite", "-voice", voice, "-t", words, "-o", str(path)]
        subprocess.run(command, check=True)
        with wave.open(str(path)) as turn:
            if (turn.getframerate(), turn.getnchannels(), turn.getsampwidth()) != (SAMPLE_RATE, 1, 2):
                raise SystemExit(f"the voice {voice} does not speak 16 kHz mono")
            return np.frombuffer(turn.readframes(turn.getnframes()), dtype="<i2").astype(np.int16)


def encode(speech: Pcm, target: Path) -> None:
    # bitexact: without it, Ogg's stream serial number is random, and no two runs would be the same.
    with av.open(str(target), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE)
        stream.layout = "mono"
        stream.bit_rate = BIT_RATE
        stream.options = {"application": "audio", "flags": "+bitexact"}
        frame = av.AudioFrame.from_ndarray(speech.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()

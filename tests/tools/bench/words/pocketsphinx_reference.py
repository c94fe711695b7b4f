"""The engine that the service started with, kept for comparison: pocketsphinx 5.1.1 and its US English model.

Runs in its own environment: see `pocketsphinx_venv`. Reads 16 kHz mono 16-bit samples from stdin. Writes one line of
JSON: the text, the seconds it took with the model already loaded, and its peak memory in bytes.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder, Endpointer

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2
LONGEST_SEGMENT_BYTES = 15 * SAMPLE_RATE * SAMPLE_BYTES

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_PRONUNCIATION = re.compile(r"\(\d+\)$")
_FRAME_SAMPLES = SAMPLE_RATE // 50
_SMOOTHED_FRAMES = 5


def main() -> None:
    samples = sys.stdin.buffer.read()
    decoder = Decoder(loglevel="FATAL")
    began_cpu, began = time.process_time(), time.perf_counter()
    text = " ".join(word for span in speech_spans(samples) for word in words(decoder, span))
    figures = {
        "text": text,
        "cpu_seconds": time.process_time() - began_cpu,
        "wall_seconds": time.perf_counter() - began,
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(figures))


def words(decoder: Decoder, span: bytes) -> list[str]:
    decoder.start_utt()
    decoder.process_raw(span, full_utt=True)
    decoder.end_utt()
    found = [word.word for word in decoder.seg()] if decoder.hyp() else []
    return [_PRONUNCIATION.sub("", word) for word in found if not _FILLER.fullmatch(word)]


def speech_spans(samples: bytes) -> Iterator[bytes]:
    """Stretches with speech; long ones without a pause are cut where it is quiet."""
    endpointer = Endpointer(sample_rate=SAMPLE_RATE)
    held = bytearray()
    for start in range(0, len(samples), endpointer.frame_bytes):
        frame = samples[start : start + endpointer.frame_bytes]
        is_last = start + endpointer.frame_bytes >= len(samples)
        speech = endpointer.end_stream(frame) if is_last else endpointer.process(frame)
        if speech is None:
            continue
        held += speech
        if not endpointer.in_speech:
            yield bytes(held)
            held.clear()
        elif len(held) >= LONGEST_SEGMENT_BYTES:
            cut = quietest_point(np.frombuffer(bytes(held), np.int16)) * SAMPLE_BYTES
            yield bytes(held[:cut])
            del held[:cut]
    if held:
        yield bytes(held)


def quietest_point(samples: npt.NDArray[np.int16]) -> int:
    """The middle of the quietest tenth of a second of the last 40 %."""
    earliest = len(samples) * 6 // 10
    tail = samples[earliest:].astype(np.float64)
    frames = len(tail) // _FRAME_SAMPLES
    energy = np.square(tail[: frames * _FRAME_SAMPLES]).reshape(frames, _FRAME_SAMPLES).mean(axis=1)
    smooth = np.convolve(energy, np.ones(_SMOOTHED_FRAMES), mode="valid")
    return earliest + int(smooth.argmin()) * _FRAME_SAMPLES + _SMOOTHED_FRAMES * _FRAME_SAMPLES // 2


def peak_bytes() -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()

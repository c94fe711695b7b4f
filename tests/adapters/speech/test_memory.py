"""Speech of any length is recognized in memory that does not grow with it."""

import subprocess
import sys

MEASURE = """
import os
import numpy as np
from adapters.speech.voice_activity import find_speech
from adapters.worker_memory import in_use_bytes

def hear_pieces(numbers):
    for number in numbers:
        samples = 25 * 16_000 + 1_600 * number
        find_speech(np.random.default_rng(number).normal(0, 300, samples).astype(np.int16))

hear_pieces(range(25))
before = in_use_bytes(os.getpid())
hear_pieces(range(25, 60))
print(in_use_bytes(os.getpid()) - before)
"""


def test_pieces_of_all_lengths_leave_nothing_in_memory() -> None:
    measured = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert int(measured.stdout) < 8 * 2**20

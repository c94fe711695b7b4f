import numpy as np

from tests.dialogues import FOLDER, NAMES, text
from tests.make_sample import SAMPLE_RATE, encode, spoken

for name in NAMES:
    speech = np.concatenate(list(spoken(text(name))))
    encode(speech, FOLDER / f"{name}.opus")
    print(f"{name}: {len(speech) / SAMPLE_RATE:.1f} s")

import numpy as np

from tests.tools.dialogues import FOLDER, NAMES, text
from tests.tools.make_sample import SAMPLE_RATE, encode, spoken

for name in NAMES:
    speech = np.concatenate(list(spoken(text(name))))
    encode(speech, FOLDER / f"{name}.opus")
    print(f"{name}: {len(speech) / SAMPLE_RATE:.1f} s")

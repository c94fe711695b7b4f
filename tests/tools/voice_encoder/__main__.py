"""`python -m tests.tools.voice_encoder WHEEL`: makes the voice encoder's weights from the wheel they are published in.

With --check it writes nothing and compares them with those that are committed. The wheel is fetched by
`pip download --no-deps Resemblyzer==0.1.4`; none of its code is run.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from adapters.speech.voice_encoder import WEIGHTS
from tests.tools.voice_encoder.published import weights_in


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.voice_encoder", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with the committed weights, and write nothing")
    options = parser.parse_args()
    content = weights_in(options.wheel)
    digest = hashlib.sha256(content).hexdigest()
    if not options.check:
        WEIGHTS.write_bytes(content)
        print(f"{WEIGHTS.name}: {len(content)} bytes, SHA-256 {digest}")
    elif content == WEIGHTS.read_bytes():
        print(f"{WEIGHTS.name} is what the wheel gives: SHA-256 {digest}")
    else:
        sys.exit(f"{WEIGHTS.name} is not what the wheel gives.")


if __name__ == "__main__":
    main()

"""`make note-model`: learns the quoting writer's model from the data beside the checkout, and writes its weights.

With ARGS=--check it writes nothing and compares them with those that are committed.
"""

import argparse
import hashlib
import sys

from adapters.notes.note_model import WEIGHTS
from tests.tools.note_model.corpus import NOTES_FOLDER, examples
from tests.tools.note_model.training import trained

TRAIN = NOTES_FOLDER / "train.csv"


def main() -> None:
    options = argparse.ArgumentParser(prog="make note-model", description=__doc__)
    options.add_argument("--check", action="store_true", help="compare with the committed weights, and write nothing")
    check = options.parse_args().check
    if not TRAIN.is_file():
        sys.exit(f"The data is missing: {TRAIN}. adapters/notes/note_model.md says where it is from.")
    content = trained(examples(TRAIN))
    digest = hashlib.sha256(content).hexdigest()
    if not check:
        WEIGHTS.write_bytes(content)
        print(f"{WEIGHTS.name}: {len(content)} bytes, SHA-256 {digest}")
    elif content == WEIGHTS.read_bytes():
        print(f"{WEIGHTS.name} is what the data gives: SHA-256 {digest}")
    else:
        sys.exit(f"{WEIGHTS.name} is not what the data gives.")


if __name__ == "__main__":
    main()

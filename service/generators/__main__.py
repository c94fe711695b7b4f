"""`python -m service.generators [FOLDER]`: write every document, and remove those that there are no more."""

import sys
from pathlib import Path

from service.generators.documents import documents

FOLDER = Path(__file__).parents[2] / "schemas"


def main(folder: Path) -> None:
    """Make the folder's JSON files exactly the generated ones."""
    written = documents()
    folder.mkdir(exist_ok=True)
    for path in folder.glob("tapedeck.*.json"):
        if path.name not in written:
            path.unlink()
    for name, content in written.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

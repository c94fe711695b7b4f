"""`python -m service.generators`, or `make schemas`: write everything that is generated."""

import sys

from service.generators.documents import write_documents
from service.generators.event_schemas import BreakingChange, write_schemas
from service.generators.life_diagram import redraw


def main() -> None:
    """Write schemas/ and the diagram in domain/README.md. A change that breaks a promise to readers stops it first."""
    try:
        write_schemas()
    except BreakingChange as change:
        sys.exit(str(change))
    write_documents()
    redraw()


if __name__ == "__main__":
    main()

"""Sets the garbage collector for a process that reads long histories: it keeps a lot and makes hardly any cycles.

With Python's defaults it looks through everything kept once per few hundred events read: a quarter of the time.
"""

import gc

NEW_OBJECTS = 10_000
"""How many new objects trigger a search for cycles; Python's default is 700."""

OLD_GENERATIONS = 100
"""How many searches among the younger objects come before one among all; Python's default is 10. That one takes as long
as there are objects, and nothing else runs meanwhile: a second while a long transcript is read."""


def settle_collector() -> None:
    """Call this once the process has imported what it needs: those objects stay, and are not looked at again."""
    gc.collect()
    gc.freeze()
    _, younger, _ = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, younger, OLD_GENERATIONS)

"""How well passages match a query: by how many of its words they have, how rare those are, and how often they come."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

REPEATED = 0.2
"""What a word that comes over and over adds to its first occurrence."""


def scores(passages: Sequence[bytes], query: Sequence[bytes], *, found: Sequence[int] | None = None) -> list[float]:
    """For each passage, from 0 (it has none of the query's words) to 1; a passage with all of them has more than 0.8.

    `passages` and `query`: digests, a passage's one after another. `found`: how many passages have each of the query's
    words, if there are more than these: the rarer a word, the more it weighs.
    """
    counts = _counts(passages, query)
    having = (counts > 0).sum(axis=0) if found is None else np.asarray(found)
    weights = np.log(1 + (having.max(initial=0) + 1) / (having + 1))
    present = (counts > 0) * (1 + REPEATED * (1 - 1 / np.maximum(counts, 1)))
    return [float(score) for score in present @ weights / (weights.sum() * (1 + REPEATED))]


def _counts(passages: Sequence[bytes], query: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """How often each passage (a row) has each word of the query (a column)."""
    asked = np.frombuffer(b"".join(query), dtype=np.uint64)
    order = np.argsort(asked)
    words = np.frombuffer(b"".join(passages), dtype=np.uint64)
    rows = np.repeat(np.arange(len(passages)), [len(passage) // asked.itemsize for passage in passages])
    places = np.minimum(np.searchsorted(asked[order], words), len(asked) - 1)
    matching = asked[order][places] == words
    cells = rows[matching] * len(asked) + order[places[matching]]
    return (
        np.bincount(cells, minlength=len(passages) * len(asked)).reshape(len(passages), len(asked)).astype(np.float64)
    )

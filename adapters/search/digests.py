"""Words as the index stores them: keyed digests, other ones for each end user. What a digest was made of is not stored.

So nobody's words are in the index's file, and a query can only match what belongs to its own end user.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

DIGEST_BYTES = 8
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose words they are: an end user of a project."""

    project_id: str
    end_user_id: str

    def key(self, index_key: bytes) -> bytes:
        """The key of this owner's digests."""
        name = f"{len(self.project_id)} {self.project_id} {self.end_user_id}"  # the length tells where the first ends
        return blake2b(name.encode(), key=index_key, digest_size=KEY_BYTES).digest()


class Digests:
    """Makes digests of an owner's words, and remembers them: people say the same words over and over."""

    def __init__(self, owner_key: bytes) -> None:
        self.owner_key = owner_key
        self._known: dict[str, bytes] = {}

    def of(self, words: Iterable[str]) -> list[bytes]:
        return [self._known.get(word) or self._made(word) for word in words]

    def _made(self, word: str) -> bytes:
        digest = blake2b(word.encode(), key=self.owner_key, digest_size=DIGEST_BYTES).digest()
        self._known[word] = digest
        return digest

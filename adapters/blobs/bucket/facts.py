"""What an index of a bucket knows about the bucket itself, wherever it keeps that."""

from abc import ABC, abstractmethod


class Facts(ABC):
    """See `BucketIndex`."""

    def owner(self) -> str | None:
        return self._fact("owner")

    def set_owner(self, owner: str) -> None:
        self._set_fact("owner", owner)

    def is_marked(self) -> bool:
        return self._fact("marked") is not None

    def set_marked(self) -> None:
        self._set_fact("marked", "yes")

    @abstractmethod
    def _fact(self, fact: str) -> str | None:
        """What was set last; None if nothing was."""

    @abstractmethod
    def _set_fact(self, fact: str, value: str) -> None:
        """Durable on return."""

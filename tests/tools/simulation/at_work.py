"""Which process does which job now: no two may do one, unless a claim was lost that its process still believes in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.tools.simulation.memory_claims import MemoryClaims


class AtWork:
    """Accuses when a job is done by two processes at once whose claims both stand, or to its end after its claim was
    known to be lost."""

    def __init__(self, accuse: Callable[[str], None]) -> None:
        self._accuse = accuse
        self._working: dict[str, tuple[MemoryClaims, int]] = {}

    @contextmanager
    def on(self, job: str, claims: MemoryClaims) -> Iterator[None]:
        before = self._working.get(job)
        if before is not None and before[0].holds_in(before[1]) and claims.holds_in(claims.session):
            self._accuse(f"{job} is done twice at once")
        me = self._working[job] = (claims, claims.session)
        try:
            yield
            if claims.session != me[1]:
                self._accuse(f"{job} was done to its end though its claim was lost")
        finally:
            if self._working.get(job) is me:
                del self._working[job]

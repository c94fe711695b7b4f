"""The quotas that are set for single projects, as requests ask for them: each sees what was set before it came."""

from collections.abc import Sequence
from typing import Protocol

from adapters.database.looking_up import in_database_thread
from adapters.quotas import Most
from service.application.gathering import Gathering
from service.application.this_turn import ThisTurn


class QuotaRows(Protocol):
    """See `adapters.quotas.QuotaStore`."""

    @property
    def answers_at_once(self) -> bool: ...

    def of(self, project_id: str) -> Most: ...

    def of_each(self, project_ids: Sequence[str]) -> Sequence[Most]: ...


class OwnQuotas:
    """For one event loop."""

    def __init__(self, store: QuotaRows) -> None:
        self._store = store
        self._this_turn = ThisTurn(store.of)
        self._gathered = Gathering(self._of_each)

    async def of(self, project_id: str) -> Most:
        """Raises: DatabaseUnavailable."""
        if self._store.answers_at_once:
            return self._this_turn.of(project_id)
        return await self._gathered.of(project_id)

    async def _of_each(self, project_ids: Sequence[str]) -> Sequence[Most]:
        return await in_database_thread(self._store.of_each, project_ids)

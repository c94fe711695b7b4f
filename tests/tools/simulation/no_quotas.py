"""Projects without quotas: the simulated world has room for everything."""

from adapters.quotas import Most
from adapters.usage import Usage, UsageAt
from service.application.quotas import Quotas
from service.application.taking import TakesHere


class _Nothing:
    head = 0

    async def of(self, _: str) -> Most:
        return {}


class _NoUsage:
    def of(self, _: str) -> UsageAt:
        return UsageAt(Usage(), 0)


NO_QUOTAS = Quotas({}, _Nothing(), TakesHere(_NoUsage(), log=_Nothing()))

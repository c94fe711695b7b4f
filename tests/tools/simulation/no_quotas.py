"""Projects without quotas: the simulated world has room for everything."""

from adapters.quotas import Most
from adapters.usage import Usage, UsageAt
from service.application.quotas import Quotas


class _Nothing:
    head = 0

    def of(self, _: str) -> Most:
        return {}


class _NoUsage:
    def of(self, _: str) -> UsageAt:
        return UsageAt(Usage(), 0)


NO_QUOTAS = Quotas({}, _Nothing(), _NoUsage(), log=_Nothing())

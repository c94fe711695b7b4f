"""Projects without quotas: the simulated world has room for everything."""

from service.runtime.quotas import no_quotas


class _EmptyLog:
    head = 0


NO_QUOTAS = no_quotas(_EmptyLog())

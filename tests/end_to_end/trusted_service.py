"""A service that trusts an issuer of the test's own, by an allow list that the test can change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.adapters.tokens.issuer import CUSTOMER, PARTNER, PRODUCT, IssuerServer, issuer_in_a_thread
from tests.end_to_end.dragon_client import Dragon
from tests.end_to_end.service_process import ServiceProcess

NAMED = {"customerId": CUSTOMER, "partnerId": PARTNER, "productId": PRODUCT}


@dataclass
class TrustedService:
    service: ServiceProcess
    issuer: IssuerServer
    allow_list: Path

    def dragon(self, *, token: str | None = None, **changes: Any) -> Dragon:
        return Dragon(self.service.url, token or self.issuer.token(**changes), NAMED)


@contextmanager
def trusting(folder: Path) -> Iterator[TrustedService]:
    """The service is not started yet."""
    with issuer_in_a_thread() as issuer:
        allow_list = folder / "allow.toml"
        allow_list.write_text(issuer.allow_list())
        service = ServiceProcess(folder / "data", settings={"ALLOW_LIST": str(allow_list)})
        try:
            yield TrustedService(service, issuer, allow_list)
        finally:
            service.kill()

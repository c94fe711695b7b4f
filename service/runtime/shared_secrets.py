"""The secrets that all hosts of a service must have: what one has signed or encrypted, each of them must read."""

import hashlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from adapters.database.looking_up import in_database_thread
from adapters.kept_answers import sealer_of_answers
from adapters.webhooks.signing import sealer_of_secrets
from service.dialects.http.signed_urls import UrlSigner
from service.runtime.failures import StartFailed
from service.runtime.places import hosts_place
from service.runtime.settings import ServiceSettings

SIGNING_KEY, WEBHOOKS_KEY, ANSWERS_KEY = "signing.key", "webhooks.key", "answers.key"
NAMES = (SIGNING_KEY, WEBHOOKS_KEY, ANSWERS_KEY)


class OtherSecrets(StartFailed):
    """This host does not have the service's secrets. `str()` is one sentence."""

    def __init__(self, path: Path, *, is_missing: bool) -> None:
        what = "is missing" if is_missing else "is not that of the service's other hosts"
        super().__init__(
            f"{path} {what}; copy {', '.join(NAMES)} from the data directory of a host that has been running"
        )


def made_secrets(data_dir: Path) -> Mapping[str, bytes]:
    """The digest of each secret in the directory; those that are missing are made.

    Raises: DamagedKey; OSError.
    """
    UrlSigner.with_key_file(data_dir / SIGNING_KEY)
    sealer_of_secrets(data_dir / WEBHOOKS_KEY)
    sealer_of_answers(data_dir / ANSWERS_KEY)
    return {name: _digest(data_dir / name) for name in NAMES}


async def settle_own_secrets(settings: ServiceSettings) -> None:
    """The service has one host: whatever secrets that has are the service's, also for hosts that are added later.

    Raises: DamagedKey; DatabaseUnavailable; OSError.
    """
    if not settings.has_shared_stores:
        return
    from adapters.database.leadership import Secrets  # noqa: PLC0415 - the embedded profile does without it

    def settle() -> None:
        with closing(Secrets(hosts_place(settings))) as secrets:
            secrets.settle(made_secrets(settings.data_dir))

    await in_database_thread(settle)


def check_secrets(data_dir: Path, digests: Mapping[str, bytes]) -> None:
    """Whether the directory has the secrets with these digests. Raises: OtherSecrets; OSError."""
    for name, digest in digests.items():
        path = data_dir / name
        if not path.exists():
            raise OtherSecrets(path, is_missing=True)
        if _digest(path) != digest:
            raise OtherSecrets(path, is_missing=False)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()

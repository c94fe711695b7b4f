"""A project for every honest client and for every attack, with the keys that they need."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex

from adapters.keys import KeyKind, KeyStore
from service.application.clock import utc_now
from tests.end_to_end.dragon_client import development_token, dragon_credentials, ids
from tests.end_to_end.service_process import ServiceProcess
from tests.tools.soak.abuse.attacker import Project
from tests.tools.soak.abuse.honest import Account


def honest_accounts(service: ServiceProcess, count: int) -> list[Account]:
    with _keys(service) as keys:
        return [Account(**_of_project(keys, f"proj_honest{number}")) for number in range(count)]


async def hostile_projects(service: ServiceProcess, attacks: Sequence[str]) -> dict[str, Project]:
    """One for each attack, by its name. Those that speak Dragon share the development customer."""
    dragon = dragon_credentials(service)
    dragon_token, dragon_ids = await development_token(dragon), ids(dragon)
    with _keys(service) as keys:
        return {
            name: Project(
                **_of_project(keys, f"proj_hostile{number}"), dragon_token=dragon_token, dragon_ids=dragon_ids
            )
            for number, name in enumerate(attacks)
        }


def _of_project(keys: KeyStore, project_id: str) -> dict[str, str]:
    return {
        "token": keys.create(KeyKind.SECRET, project_id=project_id).token,
        "client_key": keys.create(KeyKind.CLIENT, project_id=project_id).token,
        "end_user_id": f"eu_{token_hex(8)}",
    }


@contextmanager
def _keys(service: ServiceProcess) -> Iterator[KeyStore]:
    keys = KeyStore(service.data_dir / "keys.sqlite3", clock=utc_now)
    try:
        yield keys
    finally:
        keys.close()

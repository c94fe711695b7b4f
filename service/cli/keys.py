"""`tapedeck keys`: make, list and revoke keys in the data directory of this environment's settings.

It works beside a running service, which asks the same file at every request: a revoked key is refused from then on.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from secrets import token_hex
from uuid import UUID

import click

from adapters.keys import Key, KeyKind, KeyNotFound, KeyStore
from service.api.bota.identifiers import DEVICE_ID, END_USER_ID, PROJECT_ID, SCOPES
from service.api.dragon.names import tenant_of_customer
from service.clock import utc_now
from service.settings import BadSettings, load_settings


@click.group()
def keys() -> None:
    """Make, list and revoke API keys and device tokens."""


@keys.command()
@click.option("--kind", type=click.Choice(["secret", "restricted", "device"]), default="secret", show_default=True)
@click.option("--project", help="The project it is for, proj_ and letters and digits; a new one unless given.")
@click.option("--customer", type=click.UUID, help="Instead of a project: the Dragon customer whose recordings it sees.")
@click.option(
    "--scope", "scopes", multiple=True, help="What a restricted key may do, such as recordings:read; repeatable."
)
@click.option("--device", help="The device of a device token, dev_ and letters and digits.")
@click.option("--end-user", help="The end user of a device token, eu_ and letters and digits.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, max=36_500, min_open=True),
    help="Days until it expires; it never does unless given.",
)
@click.option("--name", help="What it is for, so that a list tells it apart.")
@click.option("--test", is_flag=True, help="Make it an sk_test_ or rk_test_ key.")
def create(
    *,
    kind: str,
    project: str | None,
    customer: UUID | None,
    scopes: tuple[str, ...],
    device: str | None,
    end_user: str | None,
    days: float | None,
    name: str | None,
    test: bool,
) -> None:
    """Make a key and print it. It is kept as a hash, so this is the only time it can be seen."""
    if customer is not None and project is not None:
        raise click.UsageError("Give --project or --customer, not both: a customer is a project.")
    project = tenant_of_customer(str(customer)) if customer else project
    with _key_store() as store:
        try:
            _check_names(project=project, device=device, end_user=end_user, scopes=scopes, kind=kind)
            new = store.create(
                KeyKind(kind),
                project_id=project or f"proj_{token_hex(16)}",
                scopes=frozenset(scopes),
                device_id=device,
                end_user_id=end_user,
                expires_at=utc_now() + timedelta(days=days) if days else None,
                name=name,
                live=not test,
            )
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    click.echo(new.token)
    click.echo(f"{new.key.kind} key {new.key.id} of {new.key.project_id}; it is not shown again.", err=True)


def _check_names(
    *, project: str | None, device: str | None, end_user: str | None, scopes: tuple[str, ...], kind: str
) -> None:
    """Raises: ValueError for what no request could ever match."""
    for given, pattern, shape in (
        (project, PROJECT_ID, "proj_"),
        (device, DEVICE_ID, "dev_"),
        (end_user, END_USER_ID, "eu_"),
    ):
        if given is not None and not re.fullmatch(pattern, given):
            raise ValueError(f"{given!r} is not {shape} and letters and digits, at most 64 characters.")
    if unknown := sorted(set(scopes) - SCOPES):
        raise ValueError(f"There is no scope {unknown[0]!r}; there are {', '.join(sorted(SCOPES))}.")
    if kind == KeyKind.RESTRICTED and not scopes:
        raise ValueError("A restricted key without a --scope could do nothing.")


@keys.command("list")
@click.option("--project", help="Only this project's.")
def list_(project: str | None) -> None:
    """List keys, a line each: id, kind, project, whether it is in force, and its name."""
    with _key_store() as store:
        for key in store.list_keys(project):
            click.echo(
                f"{key.id}  {key.kind:<10}  {key.project_id}  {_standing(key):<8}  {_restrictions(key)}".rstrip()
            )


def _standing(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= utc_now() else "in force"


def _restrictions(key: Key) -> str:
    return " ".join([*sorted(key.scopes), *filter(None, (key.device_id, key.end_user_id, key.name))])


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Refuse the key with this id from now on. The id is the 12 characters behind the token's prefix."""
    with _key_store() as store:
        try:
            store.revoke(key_id)
        except KeyNotFound as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{key_id} is revoked.")


@contextmanager
def _key_store() -> Iterator[KeyStore]:
    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = KeyStore(settings.keys_path, clock=utc_now)
    try:
        yield store
    finally:
        store.close()

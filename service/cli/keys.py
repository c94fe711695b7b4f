"""`tapedeck keys`: create, list and revoke keys in the data directory named in the settings.

It works while the service runs, which reads the same file at every request: a revoked key is refused from then on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import isnan
from secrets import token_hex
from uuid import UUID

import click

from adapters.keys import Key, KeyKind, KeyNotFound, KeyStore
from service.application.clock import utc_now
from service.cli.ids import is_id
from service.dialects.dragon.names import tenant_of_customer
from service.dialects.registry import DIALECTS
from service.runtime.places import keys_place
from service.runtime.settings import BadSettings, load_settings

SCOPES = tuple(scope for dialect in DIALECTS for scope in dialect.scopes)


@click.group()
def keys() -> None:
    """Create, list and revoke API keys and device tokens."""


@keys.command()
@click.option("--kind", type=click.Choice([kind.value for kind in KeyKind]), default="secret", show_default=True)
@click.option("--project", help="Its project: proj_ with letters and digits. Unless given, a new one.")
@click.option("--customer", type=click.UUID, help="Instead of a project: the Dragon customer whose data it reads.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What a restricted key may do, such as recordings:read; repeatable.",
)
@click.option("--device", help="The device of a device token: dev_ with letters and digits.")
@click.option("--end-user", help="The end user of a device token: eu_ with letters and digits.")
@click.option("--recording", help="The recording of an upload token: rec_ with letters and digits.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes until it expires.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    help="Days until it expires; without either, it never does.",
)
@click.option("--name", help="What it is for, to recognize it in lists.")
@click.option("--test", is_flag=True, help="Make it an sk_test_ or rk_test_ key.")
def create(
    *,
    kind: str,
    project: str | None,
    customer: UUID | None,
    scopes: tuple[str, ...],
    device: str | None,
    end_user: str | None,
    recording: str | None,
    minutes: float | None,
    days: float | None,
    name: str | None,
    test: bool,
) -> None:
    """Create a key and print it. Only its hash is stored, so this is the only time it can be seen."""
    _check_forms(project, device, end_user, recording)
    if kind == KeyKind.RESTRICTED and not scopes:
        raise click.ClickException("A restricted key needs a --scope; without one it could do nothing.")
    if customer is not None and project is not None:
        raise click.UsageError("Give --project or --customer, not both: a customer is a project.")
    project = tenant_of_customer(str(customer)) if customer else project
    if recording and not project:
        raise click.ClickException("Give --project as well: the recording's project.")
    with _key_store() as store:
        try:
            new = store.create(
                KeyKind(kind),
                project_id=project or f"proj_{token_hex(16)}",
                scopes=frozenset(scopes),
                device_id=device,
                end_user_id=end_user,
                recording_id=recording,
                expires_at=_end(minutes, days),
                name=name,
                live=not test,
            )
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    click.echo(new.token)
    click.echo(f"{new.key.kind} key {new.key.id} of {new.key.project_id}; it will not be shown again.", err=True)


def _check_forms(project: str | None, device: str | None, end_user: str | None, recording: str | None) -> None:
    """Raises: click.ClickException for an id that the API would never give."""
    given = {"proj_": project, "dev_": device, "eu_": end_user, "rec_": recording}
    for prefix, value in given.items():
        if value is not None and not is_id(value, prefix):
            raise click.ClickException(f"{value!r} is not {prefix} followed by letters and digits only.")


def _end(minutes: float | None, days: float | None) -> datetime | None:
    """Raises: click.ClickException when both are given, one is not a number, or the date is too far in the future."""
    if minutes and days:
        raise click.ClickException("Give --minutes or --days, not both.")
    if not minutes and not days:
        return None
    if isnan(days or minutes or 0):
        raise click.ClickException("'nan' is not a number of days or minutes.")
    try:
        return utc_now() + timedelta(days=days or 0, minutes=minutes or 0)
    except OverflowError:
        raise click.ClickException("The expiry is too far in the future; give fewer days or minutes.") from None


@keys.command("list")
@click.option("--project", help="Only this project's keys.")
def list_(project: str | None) -> None:
    """List keys, one per line: id, kind, project, whether it is in force, and its name."""
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
    return " ".join(
        [*sorted(key.scopes), *filter(None, (key.device_id, key.end_user_id, key.recording_id, _until(key), key.name))]
    )


def _until(key: Key) -> str | None:
    return None if key.expires_at is None else f"until {key.expires_at.isoformat(timespec='seconds')}"


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Refuse the key with this id from now on. The id is the 12 characters after the token's prefix."""
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
    store = KeyStore(keys_place(settings), clock=utc_now)
    try:
        yield store
    finally:
        store.close()

"""`tapedeck quotas`: what projects use and may have, in the data directory or the database named in the settings.

It works while the service runs: what is set here is in force from the next request on.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import click

from adapters.directory.tables import registered
from adapters.quotas import Quota, QuotaStore
from adapters.rebuilding import OtherSchema
from adapters.sqlite_file import DatabaseTooNew, DatabaseUnavailable
from adapters.usage import UsageStore
from adapters.webhooks.store import endpoint_count
from service.application.taking import COUNTED, used_of
from service.cli.ids import ProjectName, project_named
from service.cli.own_log import needing_a_log, what_to_do
from service.runtime.places import directory_place, quotas_place, usage_place, webhooks_place
from service.runtime.settings import BadSettings, Settings, load_settings

PROJECTS_SHOWN = 100
NO_LIMIT = "none"
LARGEST = 10**18 - 1
"""SQLite keeps 63 bits."""
QUOTAS = f"Quotas: {', '.join(Quota)}."
PROJECT = ProjectName()


@click.group()
def quotas() -> None:
    """Show what projects use and may have; set quotas for one project."""


@quotas.command()
@click.argument("project", type=PROJECT, required=False)
def show(project: str | None) -> None:
    """Show what PROJECT uses, and what it may have; without PROJECT, the 100 that keep most bytes, and those that have
    quotas of their own. A Dragon customer's project is named by the customer's UUID, too."""
    with _opened() as opened:
        for project_id in [project] if project else opened.projects():
            click.echo(project_id)
            for line in opened.lines(project_id):
                click.echo(f"  {line}")


@quotas.command("set", epilog=QUOTAS, context_settings={"ignore_unknown_options": True})  # -5 is no option, but refused
@click.argument("project", type=PROJECT)
@click.argument("quota", metavar="QUOTA", type=click.Choice([quota.value for quota in Quota]))
@click.argument("most")
def set_(project: str, quota: str, most: str) -> None:
    """Let PROJECT have MOST of QUOTA, a whole number or 'none' for no limit, whatever the settings say.
    A Dragon customer's project is named by the customer's UUID, too."""
    number = None if most == NO_LIMIT else _number(most)
    with _opened() as opened:
        opened.own.set_for(project, Quota(quota), number)
        click.echo(f"{project}: {opened.line(project, Quota(quota))}")


def _number(most: str) -> int:
    """Raises: click.BadParameter."""
    if not (most.isascii() and most.isdecimal()):
        raise click.BadParameter(f"{most!r} is neither a whole number nor {NO_LIMIT!r}.", param_hint="MOST")
    if len(most) > len(str(LARGEST)):
        raise click.BadParameter(f"the largest number is {LARGEST}; {NO_LIMIT!r} is no limit.", param_hint="MOST")
    return int(most)


@quotas.command(epilog=QUOTAS)
@click.argument("project")
@click.argument("quota", metavar="[QUOTA]", type=click.Choice([quota.value for quota in Quota]), required=False)
def reset(project: str, quota: str | None) -> None:
    """Let the settings say again what PROJECT may have: of QUOTA, or of everything."""
    with _opened() as opened:
        for project_id in _to_reset(project, opened.own):
            opened.own.reset(project_id, None if quota is None else Quota(quota))
            click.echo(f"{project_id}: the settings are in force.")


def _to_reset(named: str, own: QuotaStore) -> set[str]:
    """The project; also an id that is no project's, for which earlier versions set quotas.

    Raises: click.BadParameter.
    """
    if named in own.all():
        return {named, project_named(named) or named}
    return {PROJECT.convert(named, None, click.get_current_context())}


@dataclass(frozen=True, slots=True)
class _Opened:
    settings: Settings
    usage: UsageStore
    own: QuotaStore

    def projects(self) -> list[str]:
        largest = [project_id for project_id, _ in self.usage.largest(PROJECTS_SHOWN)]
        return [*largest, *sorted(self.own.all().keys() - set(largest))]

    def lines(self, project_id: str) -> Iterator[str]:
        for quota in Quota:
            yield self.line(project_id, quota)

    def line(self, project_id: str, quota: Quota) -> str:
        own = self.own.of(project_id)
        most = own[quota] if quota in own else self.settings.quotas[quota]
        may_have = "no limit" if most is None else f"of {most}"
        whose = ", set for this project" if quota in own else ""
        return f"{quota.value:<16} {self._used(project_id, quota)} ({may_have}{whose})"

    def _used(self, project_id: str, quota: Quota) -> int:
        if quota in COUNTED:
            return used_of(self.usage.of(project_id).usage, quota)
        if quota is Quota.WEBHOOKS:
            return endpoint_count(webhooks_place(self.settings), project_id)
        return registered(
            directory_place(self.settings), "end_users" if quota is Quota.END_USERS else "devices", project_id
        )


@contextmanager
def _opened() -> Iterator[_Opened]:
    from adapters.event_log.opening import require_log  # noqa: PLC0415 - it takes a while to import

    try:
        settings = load_settings()
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    with needing_a_log():
        require_log(settings.log_url)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as opened:
        try:
            usage = UsageStore(usage_place(settings))
            opened.callback(usage.close)
            own = QuotaStore(quotas_place(settings))
            opened.callback(own.close)
            yield _Opened(settings, usage, own)
        except OtherSchema as error:
            raise click.ClickException(f"The quotas cannot be used: {what_to_do(error)}.") from None
        except (OSError, sqlite3.Error, DatabaseUnavailable, DatabaseTooNew) as error:
            raise click.ClickException(f"The quotas cannot be used: {str(error).rstrip('.')}.") from None

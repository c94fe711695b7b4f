"""`tapedeck retry`."""

import click

from service.cli.connection import Connection, connected, run
from service.cli.naming import service_id
from service.cli.progress import wait_and_print
from service.cli.show import READ_PATIENCE_SECONDS


@click.command()
@click.argument("recording_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait for the transcript and print it.")
@connected(patience_seconds=READ_PATIENCE_SECONDS)
def retry(connection: Connection, recording_id: str, wait: bool) -> None:
    """Let a failed recording continue from the stage at which it failed, or make one anew whose damaged chunks were
    replaced. ID: as for show."""
    run(_retry(connection, recording_id, wait))


async def _retry(connection: Connection, recording_id: str, wait: bool) -> None:
    async with connection.client() as client:
        recording_id = await service_id(client, recording_id)
        recording = await client.retry(recording_id)
        click.echo(f"{recording.id} continues: {recording.status}.", err=True)
        if wait:
            await wait_and_print(client, recording_id)

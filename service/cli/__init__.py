"""The command line `tapedeck`. A command's module is imported only when it is run, so that every start is quick."""

from collections.abc import Mapping
from importlib import import_module

import click

# name -> (module, its click command, one line for the list). A new command is one more line here.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "upload": ("service.cli.upload", "upload", "Upload a recording in chunks and print its transcript."),
    "show": ("service.cli.show", "show", "Show a recording's state."),
    "transcript": ("service.cli.show", "transcript", "Print a recording's transcript, or write it as subtitles."),
    "live": ("service.cli.live", "live", "Print what is said in a recording while it is recognized."),
    "events": ("service.cli.events", "events", "Print a recording's history, one line per event."),
    "retry": ("service.cli.retry", "retry", "Let a failed recording continue from where it failed."),
    "download": ("service.cli.download", "download", "Download the audio of a recording, verified."),
    "serve": ("service.cli.serve", "serve", "Run the service."),
    "work": ("service.cli.work", "work", "Do the work of a service on another machine."),
    "console": ("service.cli.console", "console", "Print a link that signs in at the console, in development."),
    "publish": ("service.cli.publish", "publish", "Publish the log to Kafka, in a separate process."),
    "consume": ("service.cli.consume", "consume", "Follow the topic and print one line per event."),
    "keys": ("service.cli.keys", "keys", "Create, list and revoke API keys and device tokens."),
    "quotas": ("service.cli.quotas", "quotas", "Show what projects use and may have; set quotas for one project."),
    "blobs": ("service.cli.blobs", "blobs", "Check the stored bytes against the log; show their size."),
    "copy": ("service.cli.copy", "copy", "Take a service to PostgreSQL, a bucket, or another disk."),
    "rebuild": ("service.cli.rebuild", "rebuild", "Rebuild a read model from the log."),
    "demo": ("service.cli.demo", "demo", "Start a temporary service, upload the speech sample, show what happens."),
}


class CommandLine(click.Group):
    """A group whose commands are those in COMMANDS and any added to it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, to run it or to show its help."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing those in the table."""
        added = ((name, self.get_command(ctx, name)) for name in super().list_commands(ctx))
        rows = [(name, line) for name, (_, _, line) in COMMANDS.items()]
        rows += [(name, command.get_short_help_str(100)) for name, command in added if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    name="tapedeck",
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="tapedeck", prog_name="tapedeck")
def main() -> None:
    """Takes recordings in chunks over bad networks, never loses one, stitches and transcribes them."""

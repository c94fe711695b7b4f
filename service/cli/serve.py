"""`tapedeck serve`: run the service."""

import asyncio
import sys
from typing import Any

import click

from service.runtime.settings import BadSettings, Settings, load_settings


class ServeCommand(click.Command):
    """Lists every setting in its help, generated from the settings."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Settings, from the environment"):
            formatter.write_dl([(name, f"{what} [{default}]") for name, what, default in setting_rows()])


def setting_rows() -> list[tuple[str, str, str]]:
    """Name, meaning and default of every setting, for people."""
    return [
        (f"TAPEDECK_{name.upper()}", field.description or "", _shown(field.default))
        for name, field in Settings.model_fields.items()
    ]


def _shown(default: Any) -> str:
    return "unset" if default is None else str(default)


@click.command(cls=ServeCommand)
@click.option("--host", help="Address to listen on; overrides TAPEDECK_HOST.")
@click.option("--port", type=int, help="Port to listen on; overrides TAPEDECK_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Run the service until Ctrl-C or SIGTERM."""
    overrides = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        settings = load_settings(**overrides)
    except BadSettings as error:
        raise click.ClickException(str(error)) from None
    from service.runtime.logs import log_to_stderr  # noqa: PLC0415 - what serving needs is slow to import
    from service.runtime.server import StartRefused  # noqa: PLC0415
    from service.runtime.server import serve as run_server  # noqa: PLC0415

    log_to_stderr(settings.log_level, process="main" if settings.serves_by_processes else None)
    try:
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(run_server(settings))
    except StartRefused as error:
        raise click.ClickException(str(error)) from None


def fast_loop() -> Any:
    """What makes an event loop; None: Python's own."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415

    return uvloop.new_event_loop

"""`tapedeck console`: a link that signs in at the console once, for the development credentials."""

import click

from service.runtime.settings import BadSettings, load_settings


@click.command()
def console() -> None:
    """Print a link that signs in at the console of a service in development, once."""
    from service.console.signing_in import new_link  # noqa: PLC0415 - it takes a while to import
    from service.runtime.dev_credentials import BadDevCredentials, written_base_url  # noqa: PLC0415

    try:
        settings = load_settings()
        base_url = written_base_url(settings.data_dir)
        if base_url is None:
            raise click.ClickException(
                f"There are no development credentials in {settings.data_dir}; sign in with a key: "
                "`tapedeck keys create` makes one."
            )
        click.echo(new_link(settings.data_dir, base_url))
    except (BadSettings, BadDevCredentials) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"The link cannot be kept: {error}.") from None

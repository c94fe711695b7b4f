"""What messages are called on the command line: `stitched`, `ambient_session.opened`."""

import click


def full_types(given: tuple[str, ...]) -> frozenset[str]:
    """Full types from short names. If none are given, none are left out. Raises: click.BadParameter."""
    from service.messages.forms import FORMS  # noqa: PLC0415 - slow to import

    short = {short_type(name): name for name in FORMS}
    unknown = [name for name in given if name not in short and name not in FORMS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is none of {', '.join(short)}.", param_hint="--type")
    return frozenset(short.get(name, name) for name in given)


def short_type(message_type: str) -> str:
    """Without what most types have in common."""
    return message_type.removeprefix("tapedeck.").removeprefix("recording.").rpartition(".")[0]

"""Ids as the API gives them, and projects as the command line accepts them."""

from uuid import UUID

import click

from service.dialects.dragon.names import tenant_of_customer

LONGEST_ID = 64


def is_id(text: str, prefix: str) -> bool:
    """Whether the API could have given it: the prefix, then letters and digits."""
    suffix = text.removeprefix(prefix)
    return text == prefix + suffix and suffix.isascii() and suffix.isalnum() and len(text) <= LONGEST_ID


def project_named(text: str) -> str | None:
    """The project with this id, or that of the Dragon customer with this UUID; None if it is neither."""
    if is_id(text, "proj_"):
        return text
    try:
        return tenant_of_customer(str(UUID(text)))
    except ValueError:
        return None


class ProjectName(click.ParamType[str]):
    """A project's id, or a Dragon customer's UUID, which becomes the id of its project."""

    name = "project"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises: click.BadParameter."""
        return project_named(value) or self.fail(
            f"{value!r} is neither a project, which is proj_ followed by at most {LONGEST_ID - len('proj_')} letters "
            "and digits, nor the UUID of a Dragon customer.",
            param,
            ctx,
        )

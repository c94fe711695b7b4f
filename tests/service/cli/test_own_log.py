"""What commands that need the log say while a part of the database cannot be used."""

import click
import pytest

from adapters.database.port import ServerAway
from adapters.event_log.port import LogUnavailable
from service.cli.own_log import needing_a_log


@pytest.mark.parametrize("error", [LogUnavailable("It is away."), ServerAway("It is away.")])
def test_what_cannot_be_reached_is_told_in_one_sentence(error):
    with pytest.raises(click.ClickException, match=r"^It is away\.$"), needing_a_log():
        raise error

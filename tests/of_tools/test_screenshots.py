"""`make screenshots` in small."""

import pytest

from tests.guides.shell import make
from tests.places import REPOSITORY
from tests.tools.browser import needed_chromium


@pytest.mark.slow
def test_make_screenshots_takes_the_views_that_are_asked_for_at_both_widths_in_light_and_dark(tmp_path):
    needed_chromium()
    made = make(REPOSITORY, "screenshots", f"ARGS=--folder {tmp_path} --views not-found")
    assert made.returncode == 0, made.stderr
    expected = {f"not-found-{width}-{scheme}.png" for width in ("phone", "desk") for scheme in ("light", "dark")}
    assert {file.name for file in tmp_path.iterdir()} == expected
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())

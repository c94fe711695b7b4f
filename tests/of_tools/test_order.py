"""The files that are begun first are there: a name that no file has would order nothing."""

from tests.conftest import LONGEST_FIRST
from tests.places import REPOSITORY


def test_every_file_that_is_begun_first_is_there_once():
    assert [name for name in LONGEST_FIRST if not (REPOSITORY / "tests" / name).is_file()] == []
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)

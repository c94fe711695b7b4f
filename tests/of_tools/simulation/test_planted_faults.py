import pytest

from tests.tools.simulation.planted_faults import FAULTS, REPOSITORY


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_there_is_one_place_to_plant_a_fault(fault):
    assert (REPOSITORY / fault.path).read_text().count(fault.right) == 1

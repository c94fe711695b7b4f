"""Samples of only -1, 0 and 1 are what the recording's other chunks are."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.events import SampleScale
from domain.sample_scales import chunks_of_float_units
from tests.domain.histories import appended

INTEGERS, FLOATS, UNITS, FLOAT_UNITS = SampleScale
SCALES = st.lists(st.none() | st.sampled_from(SampleScale), max_size=6)


def floats_among(*scales):
    return chunks_of_float_units(appended(number, scale=scale) for number, scale in enumerate(scales, 1))


@pytest.mark.parametrize(
    ("scales", "floats"),
    [
        ([UNITS], set()),
        ([FLOAT_UNITS], {1}),
        ([UNITS, UNITS, FLOAT_UNITS], {3}),
        ([INTEGERS, UNITS, FLOAT_UNITS], set()),
        ([UNITS, FLOAT_UNITS, INTEGERS], set()),
        ([FLOATS, UNITS, FLOAT_UNITS], {2, 3}),
        ([UNITS, FLOAT_UNITS, FLOATS], {1, 2}),
        ([INTEGERS, UNITS, FLOATS, FLOAT_UNITS], {4}),
        ([None, UNITS], set()),
        ([], set()),
    ],
)
def test_units_are_what_the_other_chunks_are_and_what_they_are_written_as_where_these_do_not_tell(scales, floats):
    assert floats_among(*scales) == floats


@for_all(SCALES.flatmap(lambda scales: st.tuples(st.just(scales), st.permutations(range(len(scales))))))
def test_the_order_in_which_they_came_makes_no_difference(drawn):
    scales, order = drawn
    floats = floats_among(*(scales[place] for place in order))
    assert {order[number - 1] + 1 for number in floats} == floats_among(*scales)

"""JSON is bounded by what is in it, not by how it is written; and what is within the bounds is read as ever."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.application.bounded_json import (
    DEEPEST,
    MOST_VALUES,
    JsonTooDeep,
    JsonTooLarge,
    bounded_loads,
    check_bounds,
    check_values,
    field_too_deep,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(['"', "\\", '\\"', '[{"', "],", '\\\\"['])
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def values_in(value):
    """Those within objects and arrays; an empty one counts as one."""
    match value:
        case dict() | list():
            inside = list(value.values() if isinstance(value, dict) else value)
            return max(1, len(inside)) + sum(map(values_in, inside))
        case _:
            return 0


def depth_of(value):
    match value:
        case dict() | list():
            inside = value.values() if isinstance(value, dict) else value
            return 1 + max(map(depth_of, inside), default=0)
        case _:
            return 0


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_the_values_are_counted_whatever_is_in_the_texts(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    count = values_in(value)
    assert bounded_loads(text, most_values=count) == value
    if count:
        with pytest.raises(JsonTooLarge, match=f"at most {count - 1} values"):
            check_values(text, most_values=count - 1)


@given(st.text(alphabet='[]{},:"\\ a1', max_size=30))
def test_what_is_no_json_is_refused_by_the_parser_or_the_bounds(text):
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises((orjson.JSONDecodeError, JsonTooLarge)):
            bounded_loads(text, most_values=5)
    else:
        assert bounded_loads(text, most_values=30) == expected


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"]":', "}]")])
def test_the_depth_is_bounded(opening, closing):
    each = depth_of(json.loads(f"{opening}1{closing}"))
    most = DEEPEST // each
    assert depth_of(bounded_loads(opening * most + "1" + closing * most)) == DEEPEST
    for count in (most + 1, 1000, MOST_VALUES // each):
        with pytest.raises(JsonTooDeep, match=f"at most {DEEPEST} deep"):
            check_bounds(opening * count + "1" + closing * count)
        with pytest.raises(JsonTooDeep):
            check_bounds(opening * count)  # it need not even be JSON


def test_what_is_within_the_bounds_can_be_written_again_with_something_around():
    deepest = bounded_loads("[" * DEEPEST + "]" * DEEPEST)
    assert orjson.dumps({"data": [{"metadata": deepest}]})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"a": 1, "b": {"c": [[]]}}, ""),
        ('{"a": 1, "b": %s}' % ("[" * DEEPEST + "]" * DEEPEST), "b"),
        ('{"a": [%s], "b": 1}' % ('{"x":' * DEEPEST + "[]" + "}" * DEEPEST), "a"),
        ('{"a": %s}' % ("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)), ""),
        ('{"a": %s}' % ("[" * 5000 + "]" * 5000), ""),
        ("[1]", ""),
        ("no JSON", ""),
    ],
)
def test_which_field_is_nested_too_deeply(body, field):
    assert field_too_deep(body.encode() if isinstance(body, str) else orjson.dumps(body)) == field


def test_what_stands_in_a_text_counts_for_nothing():
    text = orjson.dumps({"note": '\\"' * 100_000 + "[" * 1_000_000})
    assert bounded_loads(text)["note"].endswith("[[[")

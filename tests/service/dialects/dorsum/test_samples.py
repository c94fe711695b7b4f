"""From numbers in JSON to 16-bit samples, against a reading of the page one number at a time."""

import json
import math

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.events import SampleScale
from service.dialects.dorsum import samples
from service.dialects.dorsum.samples import BadSample, NoSamples, NotJson, parse_body

INTEGERS = st.integers(-32768, 32767)
FLOATS = st.floats(-1, 1)
NUMBERS = st.one_of(
    st.lists(INTEGERS, max_size=40),
    st.lists(FLOATS, max_size=40),
    st.lists(st.sampled_from([0, 1, -1, 0.0, 1.0, -1.0, -0.0]), max_size=10),
    st.lists(
        st.one_of(INTEGERS, FLOATS, st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False)),
        max_size=6,
    ),
    st.lists(st.one_of(INTEGERS, st.none(), st.booleans(), st.text(max_size=3), st.lists(INTEGERS, max_size=2))),
)
AROUND = st.dictionaries(
    st.sampled_from(["session_id", "previous_transcript", "x"]),
    st.one_of(st.text(max_size=12), st.sampled_from(['"chunk":[1,2]', "]", '\\"chunk": [3', {"chunk": [9, 9]}, [[1]]])),
)
WRITERS = [
    orjson.dumps,
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, indent=1).encode(),
    lambda value: json.dumps(value, separators=(",", " : ")).encode(),
]


def one_by_one(numbers):
    """The page's rule: the samples, or the index of the first that is none."""
    for index, number in enumerate(numbers):
        if type(number) not in (int, float):
            return index
    if all(number in (-1, 0, 1) for number in numbers):
        return [int(number) for number in numbers]
    if all(-1 <= number <= 1 for number in numbers):
        return [min(round(number * 32768), 32767) for number in numbers]  # half to even, as IEEE 754 rounds
    for index, number in enumerate(numbers):
        if number != int(number) or not -32768 <= number <= 32767:
            return index
    return [int(number) for number in numbers]


def scale_of(numbers):
    if any(number != int(number) for number in numbers):
        return SampleScale.FLOATS
    if any(abs(number) > 1 for number in numbers):
        return SampleScale.INTEGERS
    return SampleScale.FLOAT_UNITS if float in map(type, numbers) else SampleScale.UNITS


@given(NUMBERS, AROUND, st.sampled_from(WRITERS), st.booleans(), st.integers(1, 40))
@example([5] * 9, {}, WRITERS[0], False, 1)
@example([0.5, 300, 1], {}, WRITERS[0], True, 3)
def test_the_samples_are_what_the_numbers_say_however_they_are_written(numbers, around, write, first, piece_bytes):
    body = write({"chunk": numbers} | around if first else around | {"chunk": numbers})
    before, samples._PIECE_BYTES = samples._PIECE_BYTES, piece_bytes
    try:
        expected = one_by_one(numbers)
        if isinstance(expected, int):
            with pytest.raises(BadSample) as refusal:
                parse_body(body)
            assert refusal.value.index == expected
            assert str(refusal.value).startswith(f"chunk[{expected}] is ")
        else:
            parsed = parse_body(body)
            assert parsed.samples.dtype == np.dtype("<i2")
            assert parsed.samples.tolist() == expected
            assert parsed.scale is scale_of(numbers)
            assert parsed.fields == {name: value for name, value in json.loads(body).items() if name != "chunk"}
    finally:
        samples._PIECE_BYTES = before


ODD = ["-", "--", "07", "+1", "1.", ".5", "1e2", "1E-1", "0x1", "-0", "1_0", "٣"]


@given(st.lists(st.one_of(INTEGERS.map(str), st.sampled_from(ODD)), max_size=6))
@example(["1", "2", ""])
@example(["", "1"])
def test_what_is_no_json_is_refused_and_what_is_json_is_read(words):
    """As the JSON parser itself has it, also where commas hang in the air."""
    body = f'{{"chunk":[{",".join(words)}]}}'.encode()
    try:
        numbers = orjson.loads(body)["chunk"]
    except orjson.JSONDecodeError:
        with pytest.raises(NotJson):
            parse_body(body)
        return
    expected = one_by_one(numbers)
    if isinstance(expected, int):
        with pytest.raises(BadSample):
            parse_body(body)
    else:
        assert parse_body(body).samples.tolist() == expected


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 4, 1 << 16])
@pytest.mark.parametrize("text", ["1,2,", ",1", "1,,2", ",", "1 2", "1, ,2", "1,2]", "[1", "1,-"])
def test_commas_that_hang_in_the_air_are_no_json_wherever_the_pieces_are_cut(monkeypatch, text, piece_bytes):
    monkeypatch.setattr(samples, "_PIECE_BYTES", piece_bytes)
    with pytest.raises(NotJson):
        parse_body(b'{"chunk":[%b]}' % text.encode())


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ("[1, NaN]", "chunk[1] is nan, not a finite number."),
        ("[Infinity]", "chunk[0] is inf, not a finite number."),
        ("[2, 3, 1.5, 40000]", "chunk[2] is 1.5, neither a 16-bit integer nor a float from -1 to 1."),
        ("[0.1, 1.25]", "chunk[0] is 0.1, not a 16-bit integer, though chunk[1], 1.25, is not a float from -1 to 1."),
        (f"[7, {10**400}]", "chunk[1] is inf, not a finite number."),
    ],
)
def test_the_sentence_says_where_and_what(numbers, sentence):
    with pytest.raises(BadSample) as refusal:
        parse_body(f'{{"chunk": {numbers}}}'.encode())
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("body", [b"{}", b'{"chunk": 5}', b'{"chunk": {"0": 1}}', b'{"CHUNK": [1]}'])
def test_without_an_array_there_are_no_samples(body):
    with pytest.raises(NoSamples):
        parse_body(body)


def test_the_last_of_two_chunks_counts_as_in_any_json():
    assert parse_body(b'{"chunk": [1, 2], "chunk": [3, 4]}').samples.tolist() == [3, 4]


def test_every_16_bit_value_is_the_same_as_an_integer_and_as_a_float():
    every = np.arange(-32768, 32768)
    as_floats = parse_body(orjson.dumps({"chunk": (every / 32768).tolist()})).samples
    as_integers = parse_body(orjson.dumps({"chunk": every.tolist()})).samples
    assert (as_floats == every).all()
    assert (as_integers == every).all()


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("0,1,-1,-0", SampleScale.UNITS),
        ("", SampleScale.UNITS),
        ("0, 1, -1.0", SampleScale.FLOAT_UNITS),
        ("0,1e0", SampleScale.FLOAT_UNITS),
        ("0,1E0", SampleScale.FLOAT_UNITS),
        ("-0.0", SampleScale.FLOAT_UNITS),
    ],
)
@pytest.mark.parametrize("around", [b"", b',"x":1.5e3', b',"x":{"chunk":[2.5]}'])
def test_of_one_and_zero_it_is_told_how_they_were_written_and_nothing_else_in_the_body_matters(text, scale, around):
    assert parse_body(b'{"chunk":[%b]%b}' % (text.encode(), around)).scale is scale


def test_half_of_a_step_is_rounded_as_everywhere():
    halves = [0.5 / 32768, 1.5 / 32768, -0.5 / 32768, math.nextafter(1, 0)]
    assert parse_body(orjson.dumps({"chunk": halves})).samples.tolist() == [0, 2, 0, 32767]

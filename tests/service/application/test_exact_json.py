"""JSON read and written again has the numbers that it had, whatever they are, or is refused."""

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import example, given

from service.application.exact_json import exact_loads
from tests.service.application.json_texts import JSON_TEXTS


def told(text):
    """What a JSON text says, with every number as what it is and not as what a machine can hold."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


@given(JSON_TEXTS)
@example("[1e-400]")
@example("[-0]")
@example("[18446744073709551616, -9223372036854775809]")
@example('{"12345678901234567890": "12345678901234567890"}')
def test_what_is_read_and_written_again_says_the_same(text):
    try:
        value = exact_loads(text.encode())
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(text)
        return
    assert told(orjson.dumps(value)) == told(text)


@pytest.mark.parametrize("text", ["1", "18446744073709551615", "-9223372036854775808", "0.1", "1e3", '"x"', "null"])
def test_what_a_machine_holds_exactly_is_read_as_ever(text):
    value = exact_loads(text.encode())
    assert (type(value), value) == (type(orjson.loads(text)), orjson.loads(text))

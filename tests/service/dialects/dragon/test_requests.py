"""What the API reference says of Dragon's bodies is what is read: its right is taken, its wrong is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.dragon import reference
from service.dialects.dragon.requests import (
    CORRELATION_ID,
    LONGEST_TEXT,
    UUID,
    InvalidRequest,
    parse_chunk_metadata,
    parse_finalize,
    parse_session,
)
from tests.adapters.tokens.issuer import CUSTOMER, PARTNER, PRODUCT

LARGEST_INT32 = 2**31 - 1
NAMED = {"customerId": CUSTOMER, "partnerId": PARTNER, "productId": PRODUCT, "correlationId": "visit|1"}
BODIES = {
    "session": (reference.AmbientSession, NAMED, lambda body: parse_session(body, {})),
    "chunk": (
        reference.AudioStoreChunkMetadata,
        NAMED | {"recordingId": 1, "chunkId": 1},
        lambda body: parse_chunk_metadata(body, {}, max_chunks=LARGEST_INT32),
    ),
    "finalize": (
        reference.AudioFinalizeUploadMetadata,
        NAMED | {"recordingId": 1, "totalChunks": 1},
        lambda body: parse_finalize(body, {}, max_chunks=LARGEST_INT32),
    ),
}


def fields_of(model):
    return [field.alias for field in model.model_fields.values()]


COUNTS = st.integers(1, LARGEST_INT32)
TEXTS = st.none() | st.text(max_size=LONGEST_TEXT)
FLAGS = st.none() | st.booleans()
RIGHT = st.fixed_dictionaries(
    {name: st.from_regex(UUID, fullmatch=True) for name in ("customerId", "partnerId", "productId")}
    | {"correlationId": st.from_regex(CORRELATION_ID, fullmatch=True)}
    | dict.fromkeys(("recordingId", "chunkId", "totalChunks"), COUNTS),
    optional=dict.fromkeys(("externalUserId", "ehrInstanceId"), TEXTS)
    | dict.fromkeys(("isLast", "skipAmbientSessionExistence"), FLAGS)
    | {"data": st.sampled_from(['{"patient": 7}', "[]", "null"]), "more": st.integers()},
)


@pytest.mark.parametrize("name", BODIES)
def test_every_body_that_the_reference_allows_is_taken(name):
    model, _, parse = BODIES[name]

    @given(body=RIGHT)
    def check(body):
        model.model_validate(body, strict=True)
        parsed = parse(json.dumps(body).encode())
        assert parsed.correlation_id == body["correlationId"]
        assert parsed.customer_id == body["customerId"].lower()
        assert parsed.external_user_id == body.get("externalUserId")

    check()


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, (model, *_) in BODIES.items() for field in fields_of(model) if field != "data"],
)
@pytest.mark.parametrize("value", [[], {}, -1, 0, 1.5, 2**31, "", "x\n", "x" * 600, True, None, "absent"])
def test_a_field_that_the_reference_refuses_is_refused_and_named(name, field, value):
    model, right, parse = BODIES[name]
    body = {**right, field: value}
    if value == "absent":
        del body[field]
    try:
        model.model_validate(body, strict=True)
    except ValueError:
        with pytest.raises(InvalidRequest, match=field):
            parse(json.dumps(body).encode())
    else:
        parse(json.dumps(body).encode())

"""A form is noticed however its bytes are cut, and what is none comes through as it is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.http.forms import FormNotTaken, no_form

FORM = b'--X\r\nContent-Disposition: form-data; name="file"\r\n\r\nOggS'
Cuts = st.lists(st.integers(0, 1_100), max_size=6)


class Sent:
    """A body's pieces. `is_closed`: whether its source has been let go."""

    def __init__(self, body, cuts, failure=None):
        places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
        self._pieces = [body[start:end] for start, end in pairwise(places)]
        self._failure = failure
        self.is_closed = False

    async def pieces(self):
        try:
            for piece in self._pieces:
                yield piece
            if self._failure is not None:
                raise self._failure
        finally:
            self.is_closed = True


async def whole(sent):
    return b"".join([piece async for piece in no_form(sent.pieces(), "bytes")])


@given(st.binary(max_size=1_200) | st.binary(max_size=1_100).map(lambda rest: b"--" + rest), Cuts)
async def test_what_is_no_form_comes_through_as_it_is(body, cuts):
    sent = Sent(body, cuts)
    assert (await whole(sent), sent.is_closed) == (body, True)


@given(st.sampled_from([b"", b"\r\n"]), Cuts)
async def test_a_form_is_refused_before_its_first_byte_and_the_rest_is_not_read(before, cuts):
    sent = Sent(before + FORM + bytes(2_000), cuts)
    with pytest.raises(FormNotTaken):
        await anext(no_form(sent.pieces(), "bytes"))
    assert sent.is_closed


@pytest.mark.parametrize("body", [b"", b"-", b"--", b"OggS"])
async def test_what_ends_the_body_early_comes_out(body):
    with pytest.raises(ConnectionResetError):
        await whole(Sent(body, [], ConnectionResetError()))

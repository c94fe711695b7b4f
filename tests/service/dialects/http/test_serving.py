import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.http.serving import RangeNotSatisfiable, requested_range

Size = st.integers(1, 1_000)
Offset = st.integers(0, 1_500)


@given(size=Size, start=Offset, end=Offset)
def test_a_range_is_what_python_would_slice(size, start, end):
    body = list(range(size))
    if start > end:
        assert requested_range(f"bytes={start}-{end}", size) is None
    elif start >= size:
        with pytest.raises(RangeNotSatisfiable):
            requested_range(f"bytes={start}-{end}", size)
    else:
        found = requested_range(f"bytes={start}-{end}", size)
        assert body[found.start : found.start + found.length] == body[start : end + 1]


@given(size=Size, count=Offset)
def test_a_suffix_is_the_last_bytes(size, count):
    body = list(range(size))
    if count == 0:
        with pytest.raises(RangeNotSatisfiable):
            requested_range("bytes=-0", size)
    else:
        found = requested_range(f"bytes=-{count}", size)
        assert body[found.start : found.start + found.length] == body[-count:]


@given(size=Size, start=st.integers(0, 999))
def test_an_open_range_goes_to_the_end(size, start):
    if start < size:
        found = requested_range(f"bytes={start}-", size)
        assert found.start + found.length == size


@given(st.one_of(st.text(max_size=30), st.integers(0).map(lambda digits: f"bytes={'9' * (digits % 6_000)}-")))
def test_no_header_whatsoever_breaks_it(header):
    try:
        found = requested_range(header, 100)
    except RangeNotSatisfiable:
        return
    assert found is None or (found.start >= 0 and 0 < found.length <= 100 - found.start)

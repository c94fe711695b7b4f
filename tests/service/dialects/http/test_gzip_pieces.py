"""Gzip streams of pieces, as any decoder reads them."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.http.gzip_pieces import Deflated, GzipStream, is_accepted
from service.dialects.http.sent_events import EncodedEvents

PIECES = st.lists(
    st.binary(max_size=600) | st.integers(0, 200_000).map(lambda size: b"event " * (size // 6)), min_size=1
)


@given(PIECES)
def test_each_piece_can_be_read_when_it_is_there_and_the_whole_is_a_gzip_file(written):
    stream, decoder, sent = GzipStream(), zlib.decompressobj(31), b""
    for piece in written:
        sent += (added := stream.add(Deflated(piece)))
        assert decoder.decompress(added) == piece
        assert added.endswith(b"\x00\x00\xff\xff")  # some decoders give out nothing before this
    sent += stream.end()
    assert gzip.decompress(sent) == b"".join(written)


@given(PIECES, st.binary(max_size=600))
def test_streams_share_pieces_whatever_each_was_told_before(shared, before):
    pieces = [Deflated(piece) for piece in shared]
    for first in ([], [Deflated(before)]):
        stream = GzipStream()
        sent = b"".join(map(stream.add, [*first, *pieces])) + stream.end()
        assert gzip.decompress(sent) == (before if first else b"") + b"".join(shared)


def test_events_are_deflated_once_for_all_who_are_told_them():
    events = EncodedEvents(b"data: {}\n\n" * 1000)
    assert events.deflated is events.deflated
    assert len(events.deflated.data) < 500


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate,x-gzip", True),
        ("gzip;q=1.0", True),
        ("", False),
        ("identity", False),
        ("br, zstd", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("gzipped", False),
        ("*", False),
    ],
)
def test_only_who_says_so_is_told_in_gzip(header, accepted):
    assert is_accepted(header) is accepted

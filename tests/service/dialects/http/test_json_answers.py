"""What is written a piece at a time is what would be written at once."""

from typing import Annotated

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from service.dialects.http.json_answers import json_bytes


class Word(BaseModel):
    text: str
    confidence: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None


class Segment(BaseModel):
    words: list[Word] = Field(default_factory=list, exclude_if=lambda words: not words)
    text: str


class Page(BaseModel):
    first: int
    segments: list[Segment]
    names: list[str]
    others: list[Word]
    last: dict[str, int]


WORDS = st.builds(Word, text=st.text(max_size=3), confidence=st.none() | st.floats(0, 1))
SEGMENTS = st.builds(Segment, words=st.lists(WORDS, max_size=5), text=st.text(max_size=3))
PAGES = st.builds(
    Page,
    first=st.integers(0, 9),
    segments=st.lists(SEGMENTS, max_size=7),
    names=st.lists(st.text(max_size=3), max_size=7),
    others=st.lists(WORDS, max_size=7),
    last=st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=3),
)


@given(PAGES, st.integers(1, 8))
def test_pieces_change_nothing(page, piece_items):
    assert json_bytes(page, piece_items) == orjson.dumps(page.model_dump())


@pytest.mark.parametrize("body", [{"a": [1]}, [], None])
def test_what_is_no_model_is_written_as_it_is(body):
    assert json_bytes(body, 1) == orjson.dumps(body)

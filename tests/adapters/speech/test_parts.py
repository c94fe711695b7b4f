"""Parts of a recording, heard one by one."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech import parts
from adapters.speech.cutting import Span
from adapters.speech.faster_whisper_engine import FasterWhisperEngine
from adapters.speech.parts import HeardPart, digest_of, parts_of, words_in
from adapters.speech.transcript import TranscriptWord
from service import sample
from tests.adapters.audio.samples import opener, wav

SHORT = 12


def noise(samples: int) -> Samples:
    return np.random.default_rng(samples).normal(0, 3_000, samples).astype(np.int16)


def identities(spans: Iterable[Span]) -> list[tuple[int, str]]:
    return [(span.start_sample, digest_of(span)) for span in spans]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2 * SAMPLE_RATE), max_size=8), st.integers(0, 8))
def test_the_parts_of_what_has_come_so_far_are_those_of_the_whole_but_for_the_last(lengths: list[int], so_far: int):
    blocks = [noise(length) for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LONGEST_PART_SECONDS", 2)
        whole, begun = identities(parts_of(blocks)), identities(parts_of(blocks[:so_far]))
        in_one = identities(parts_of([np.concatenate(blocks)])) if blocks else []
    assert whole == in_one
    assert whole[: max(0, len(begun) - 1)] == begun[:-1]


@pytest.mark.slow
def test_what_is_heard_in_the_parts_in_any_order_is_what_is_heard_in_the_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "LONGEST_PART_SECONDS", SHORT)
    engine = FasterWhisperEngine()
    with sample.audio_file() as path:
        sound = np.concatenate(list(pcm_blocks(lambda: path.open("rb"))))[: 30 * SAMPLE_RATE]
    whole = engine.transcribe(opener(wav(sound.reshape(1, -1))), language="en-GB")
    cut = list(parts_of([sound]))
    assert len(cut) >= 3
    heard = {span.start_sample: engine.hear(span, language="en-GB") for span in reversed(cut)}
    kept = [HeardPart.from_json(part.to_json()) for part in heard.values()]
    kept.sort(key=lambda part: part.start_sample)
    assert engine.transcript_of(kept, language="en-GB") == whole
    assert len(whole.text.split()) > 60
    assert [(part.start_sample, part.sha256) for part in kept] == identities(cut)
    assert {part.heard_by for part in kept} == {engine.heard_by("en-GB")} == {engine.heard_by("en")}
    assert kept[-1].end_ms == whole.duration_ms


def test_a_model_of_other_files_is_another_one(tmp_path):
    from adapters.speech.whisper_model import model_folder, model_identity  # noqa: PLC0415

    for file in model_folder(None).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:1000])
    one = model_identity(tmp_path)
    assert model_identity(tmp_path) == one != model_identity(model_folder(None))
    (tmp_path / "model.bin").write_bytes(b"other")
    assert model_identity(tmp_path) != one


def test_words_of_two_parts_do_not_overlap():
    def part(start: int, *words: TranscriptWord) -> HeardPart:
        return HeardPart(start_sample=start, samples=1, sha256="a" * 64, heard_by="test", words=words, unrecognized=())

    def word(start: float, end: float) -> TranscriptWord:
        return TranscriptWord(start=start, end=end, text="so")

    joined = words_in([part(0, word(0.5, 1.02)), part(16_000, word(1.0, 1.01), word(1.2, 1.3))])
    assert [(each.start, each.end) for each in joined] == [(0.5, 1.02), (1.02, 1.04), (1.2, 1.3)]

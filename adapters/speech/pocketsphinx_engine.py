"""Speech engine on pocketsphinx, whose wheel has its US English model; promises flat memory and no network."""

import re
from collections.abc import Iterator
from functools import cached_property

from pocketsphinx import Decoder

from adapters.audio.decoding import SAMPLE_RATE, Samples, pcm_blocks
from adapters.speech.cutting import Span
from adapters.speech.engine import OpenAudio, require_language
from adapters.speech.speech_spans import speech_spans
from adapters.speech.transcript import Transcript, TranscriptSegment, segment_of

LONGEST_SEGMENT_SECONDS = 15

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_PRONUNCIATION = re.compile(r"\(\d+\)$")


class PocketsphinxEngine:
    """The embedded engine."""

    name = "pocketsphinx"
    languages = ("en", "en-US")

    def transcribe(self, open_audio: OpenAudio, *, language: str) -> Transcript:
        """One segment for each stretch of speech between silences. See `SpeechEngine` for what it raises."""
        require_language(language, self)
        counted = _Counted(pcm_blocks(open_audio))
        spans = speech_spans(counted, longest_seconds=LONGEST_SEGMENT_SECONDS)
        segments = [segment for span in spans if (segment := self._segment(span)) is not None]
        return Transcript.of_segments(
            segments,
            language=language,
            engine=self.name,
            provider=None,
            duration_ms=round(counted.samples * 1000 / SAMPLE_RATE),
        )

    @cached_property
    def _decoder(self) -> Decoder:
        # All settings are the model's own. On the dialogues named in `speech_spans` (word error rates of 11.4 % and
        # 11.8 %) wider beams, other language and insertion weights, a larger flat search and no noise removal were
        # tried one by one: none lowered both rates, and a heavier language model raised the first to 14.7 %.
        return Decoder(loglevel="FATAL")

    def _segment(self, span: Span) -> TranscriptSegment | None:
        decoder = self._decoder
        decoder.start_utt()
        # `full_utt` normalises the cepstra by the mean of this very segment. With a running mean, carried over from
        # what was said before, short utterances of another speaker are misread.
        decoder.process_raw(span.samples.tobytes(), full_utt=True)
        decoder.end_utt()
        words = [word for word in decoder.seg() if not _FILLER.fullmatch(word.word)] if decoder.hyp() else []
        if not words:
            return None
        # The posterior of each word in the lattice; log arithmetic in pocketsphinx lets it come out just above 1.
        confidence = sum(min(1.0, max(0.0, word.prob)) for word in words) / len(words)
        return segment_of(
            start=span.start_seconds,
            end=span.end_seconds,
            text=" ".join(_PRONUNCIATION.sub("", word.word) for word in words),
            confidence=confidence,
        )


class _Counted:
    """Blocks of sound passed on, and how many samples they were."""

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self.samples = 0

    def __iter__(self) -> Iterator[Samples]:
        for block in self._blocks:
            self.samples += len(block)
            yield block

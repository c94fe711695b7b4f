"""Has Whisper transcribe joined speech, judges the result by Whisper's own numbers, and reports what was not accepted.

The same sound always gives the same words. Whisper's usual second try is random (it samples, from a generator whose
state carries over from one recording to the next), so here a window that came out repetitive or unlikely is decoded
again in other, deterministic ways, and the best result is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from adapters.speech.joined_speech import Interval, JoinedSpeech
from adapters.speech.sentences import ends_sentence
from adapters.speech.transcript import TranscriptWord, UnrecognizedSound
from adapters.speech.voice_activity import PADDING_SECONDS

if TYPE_CHECKING:
    from adapters.speech.window_model import WindowModel

LANGUAGES_WITHOUT_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "my"})
"""Languages whose words faster-whisper does not find by spaces."""

_WAYS: tuple[dict[str, Any], ...] = (
    {"beam_size": 5},
    {"beam_size": 1},
    {"beam_size": 5, "no_repeat_ngram_size": 3},
)

# Thresholds from Whisper's authors: text that compresses better is a loop; less likely text is worth another try.
_REPETITIVE = 2.4
_UNLIKELY = -1.0
_NO_SPEECH = 0.6

_UNSURE = -0.7
_TOKENS_AT_LEAST = 24
_TOKENS_PER_SECOND = 20
_MOST_TOKENS = 224
_NOTHING_MORE_SECONDS = PADDING_SECONDS + 0.1
_LEAST_PROGRESS_SECONDS = 1.0
_NO_SOUND_SECONDS = 0.1
_SHORTEST_WORD_SECONDS = 0.02
_WORTH_TELLING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """Words in order, not overlapping; the speech in which none were accepted; and what must be decoded again."""

    words: list[TranscriptWord]
    unrecognized: list[UnrecognizedSound]
    rest: JoinedSpeech


def decode(model: "WindowModel", speech: JoinedSpeech, *, language: str, after: float) -> Decoded:
    """At most 30 seconds of speech. `language`: a code such as "en". Times are the recording's, none before `after`."""
    found = _best_try(model, speech, language)
    is_over = found.end > speech.seconds - _NO_SOUND_SECONDS
    rest = JoinedSpeech() if is_over else speech.rest(found.end)
    words = [] if found.refusal else _words(found, speech, after=after)
    sounding = [each.interval for each in (speech if is_over else speech.until(found.end)).stretches]
    silent = [each for each in sounding if not any(_meet(each, word) for word in words)]
    return Decoded(words, _told(silent, found.refusal or "no_words"), rest)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A word, in seconds of the joined sound."""

    start: float
    end: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """Whisper's words, its own judgment of them, and where in the joined sound they end."""

    words: list[_Spoken]
    end: float
    log_probability: float = 0.0
    compression_ratio: float = 0.0
    no_speech_probability: float = 0.0

    @property
    def is_repetitive(self) -> bool:
        return self.compression_ratio > _REPETITIVE

    @property
    def is_doubtful(self) -> bool:
        return self.is_repetitive or self.log_probability < _UNLIKELY

    @property
    def refusal(self) -> Literal["repetitive", "unsure"] | None:
        if self.is_repetitive:
            return "repetitive"
        is_unsure = self.no_speech_probability > _NO_SPEECH and self.log_probability < _UNSURE
        return "unsure" if is_unsure else None


def _best_try(model: "WindowModel", speech: JoinedSpeech, language: str) -> _Try:
    tries: list[_Try] = []
    for way in _WAYS:
        found = _try(model, speech, language, way)
        if not tries or found.words:  # another way that finds nothing does not make the words less likely
            tries.append(found)
        if not tries[-1].is_doubtful:
            return tries[-1]
    return max(tries, key=lambda one: (not one.is_repetitive, one.log_probability))


def _try(model: "WindowModel", speech: JoinedSpeech, language: str, way: dict[str, Any]) -> _Try:
    seconds = speech.seconds
    window = model.recognize(
        speech.sound,
        language=language,
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
        no_speech_threshold=None,  # the library would silently skip the window
        max_new_tokens=min(_MOST_TOKENS, _TOKENS_AT_LEAST + round(_TOKENS_PER_SECOND * seconds)),
        **way,
    )
    words = _whole_words(window.segments, language)
    if not words:
        return _Try(words=[], end=seconds)
    settled, end = (words, seconds) if window.is_finished else _settled(words, seconds)
    numbers = window.segments[0]  # they are for the whole window, and each of its segments has them
    return _Try(
        words=settled,
        end=end,
        log_probability=numbers.avg_logprob,
        compression_ratio=numbers.compression_ratio,
        no_speech_probability=numbers.no_speech_prob,
    )


def _settled(words: list[_Spoken], seconds: float) -> tuple[list[_Spoken], float]:
    """For an unfinished window: the words to keep, and from when on its sound must be decoded again.

    Near the end of the sound, Whisper may leave out the last words of a sentence and stretch the word before them up to
    the end ("at the" for "at the weekend"). Such a sentence is decoded again from its start.
    """
    last = words[-1]
    if last.end < seconds - _NOTHING_MORE_SECONDS:
        return words, max(last.end, _LEAST_PROGRESS_SECONDS)
    if not ends_sentence(last.text):
        for number, word in reversed(list(enumerate(words, start=1))):
            if ends_sentence(word.text) and word.end >= seconds / 2:
                return words[:number], word.end
    return words, seconds


def _whole_words(segments: list[Any], language: str) -> list[_Spoken]:
    """Words that faster-whisper split at hyphens and digits are put together again: a word begins with a space."""
    words: list[_Spoken] = []
    for part in (part for segment in segments for part in segment.words or ()):
        text = part.word.strip()
        begins = part.word[:1].isspace() or language in LANGUAGES_WITHOUT_SPACES or not words
        if begins and text:
            words.append(_Spoken(part.start, part.end, text, part.probability))
        elif text:
            before = words.pop()
            sure = min(before.probability, part.probability)
            words.append(_Spoken(before.start, part.end, before.text + text, sure))
    return words


def _words(found: _Try, speech: JoinedSpeech, *, after: float) -> list[TranscriptWord]:
    words: list[TranscriptWord] = []
    for spoken in found.words:
        place = speech.place(spoken.start, spoken.end)
        start = max(place.start, words[-1].end if words else after)
        words.append(
            TranscriptWord(
                start=round(start, 3),
                end=round(max(place.end, start + _SHORTEST_WORD_SECONDS), 3),
                text=spoken.text,
                confidence=round(min(1.0, max(0.0, spoken.probability)), 4),
            )
        )
    return words


def _meet(place: Interval, word: TranscriptWord) -> bool:
    return word.start < place.end and word.end > place.start


def _told(places: Iterable[Interval], reason: Literal["repetitive", "unsure", "no_words"]) -> list[UnrecognizedSound]:
    return [
        UnrecognizedSound(start=round(place.start, 3), end=round(place.end, 3), reason=reason)
        for place in places
        if place.end - place.start >= _WORTH_TELLING_SECONDS
    ]

"""What was said so far in a recording that is not transcribed yet: by its whole parts, and beyond them by windows.

Until words of a window are taken, all is as it will be in the transcript. From then on, what was said stands as it was
told, and each word comes from whoever was first to hear its place: a window, or a whole part where no window is. Where
two of these meet, a word that both heard is told once.
"""

from collections.abc import Sequence

from adapters.speech.parts import HeardPart
from adapters.speech.sentences import sentences
from adapters.speech.settled import SettledSpeech
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from adapters.speech.whisper_decoding import LANGUAGES_WITHOUT_SPACES
from domain.events import PartHeard
from domain.languages import primary_language
from service.application.live_words import HeardWindow, LiveSpeech
from service.dialects.bota.live.places import Basis
from service.dialects.bota.live.told import Line, Word, lines
from service.dialects.bota.strict_transcripts import strict_segments

_SAME_SECONDS = 0.001
"""Times are rounded to so much."""


class SoFar:
    """`lines`: only grows. `basis`: what it rests on."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self.lines: list[Line] = []
        self._speech: SettledSpeech | None = None
        self._has_words_of_windows = False
        self._parts: list[str] = []
        self._until = self._parts_until = 0.0

    def holds(self, parts: Sequence[PartHeard], basis: Basis) -> bool:
        """Whether it rests on what is known now."""
        return basis == self.basis and [part.sha256 for part in parts[: len(self._parts)]] == self._parts

    def new_of(self, parts: Sequence[PartHeard]) -> Sequence[PartHeard]:
        """The parts that were not added yet."""
        return parts[len(self._parts) :]

    def add_part(self, part: PartHeard, heard: HeardPart) -> None:
        """The next part."""
        self._parts.append(part.sha256)
        new, self._parts_until = _after(self._until, heard.words), heard.end_ms / 1000
        self._until = max(self._until, self._parts_until)
        if self._has_words_of_windows:
            self._tell(_segments(self._not_told(new), part.language), until=self._until)
        else:
            self._speech = self._speech or SettledSpeech(part.language)
            self._tell(self._speech.add(heard))

    def add_windows(self, speech: LiveSpeech) -> None:
        """Take what follows from what was told. What does not waits for the parts in between."""
        windows = speech.windows
        while windows and windows[0].start <= self._until + _SAME_SECONDS:
            window = windows.popleft()
            if window.replacements == self.basis.replacements and window.end > self._until:
                self._add(window)

    def interim(self, speech: LiveSpeech) -> TranscriptSegment | None:
        """What is being said, if all before it was told; of a window that is not cut off yet."""
        window = speech.interim
        if window is None or window.start > self._until + _SAME_SECONDS or speech.windows:
            return None
        if window.replacements != self.basis.replacements:
            return None
        words = self._not_told(_after(self._until, window.words))
        if not words:
            return None
        text = _between_words(window.language).join(word.text for word in words)
        return TranscriptSegment(start=words[0].start, end=words[-1].end, text=text)

    def _add(self, window: HeardWindow) -> None:
        words = _after(self._until if self._has_words_of_windows else self._parts_until, window.words)
        if words and not self._has_words_of_windows:
            self._tell(self._speech.rest() if self._speech is not None else [])
            self._has_words_of_windows = True
        self._until = window.end
        self._tell(_segments(self._not_told(words), window.language), until=self._until)

    def _not_told(self, words: Sequence[TranscriptWord]) -> Sequence[TranscriptWord]:
        """Without the last word that was told, if they begin with that."""
        if not words or not self.lines:
            return words
        first = Word(words[0].start, words[0].end, words[0].text)
        return words[1:] if first.is_again(self.lines[-1].last_word) else words

    def _tell(self, segments: Sequence[TranscriptSegment], *, until: float = 0.0) -> None:
        self.lines += lines(strict_segments(segments), after=self.lines, basis=self.basis, until=until)


def _segments(words: Sequence[TranscriptWord], language: str) -> list[TranscriptSegment]:
    return sentences(words, between_words=_between_words(language))


def _between_words(language: str) -> str:
    return "" if primary_language(language) in LANGUAGES_WITHOUT_SPACES else " "


def _after(seconds: float, words: Sequence[TranscriptWord]) -> list[TranscriptWord]:
    """The words of which most is after this time."""
    return [word for word in words if (word.start + word.end) / 2 > seconds]

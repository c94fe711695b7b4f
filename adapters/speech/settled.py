"""What is said in the parts of a recording that were heard so far, as far as no later part can change it."""

from adapters.speech.parts import HeardPart, words_in
from adapters.speech.sentences import ends_sentence, sentences
from adapters.speech.transcript import TranscriptSegment, TranscriptWord
from adapters.speech.whisper_decoding import LANGUAGES_WITHOUT_SPACES
from domain.languages import primary_language


class SettledSpeech:
    """Takes the parts of a recording in order, and keeps no more of them than the words of its last segment.

    The segments that it gives are the first ones of the whole transcript. The last segment of a part is given with a
    later part, unless a sentence ends with it: what is said next may belong to it.
    """

    def __init__(self, language: str) -> None:
        self._between_words = "" if primary_language(language) in LANGUAGES_WITHOUT_SPACES else " "
        self._last: tuple[TranscriptWord, ...] = ()
        self._last_is_given = False

    def rest(self) -> list[TranscriptSegment]:
        """The segment that is not given yet, if any, for who goes on with other words. Nothing may be added then."""
        return [] if self._last_is_given else sentences(self._last, between_words=self._between_words)

    def add(self, part: HeardPart) -> list[TranscriptSegment]:
        """The segments that are settled by this part."""
        if not part.words:
            return []
        words = words_in([part.model_copy(update={"words": (*self._last, *part.words)})])
        found = sentences(words, between_words=self._between_words)
        new = found[1:] if self._last_is_given else found
        self._last = found[-1].words
        self._last_is_given = ends_sentence(self._last[-1].text)
        return new if self._last_is_given else new[:-1]

"""How well a line, or a subtitle, may end between two words: at a sentence's end, then a clause's, then at a pause.

Sources: the BBC's subtitle guidelines ("Break at natural points") and Netflix's timed text style guide ("Line
Treatment"): break after punctuation, before conjunctions and prepositions; keep an article with its noun, a preposition
with its phrase, an auxiliary with its verb. Such words are listed for the languages below; for others, only punctuation
and pauses count.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.speech.timed_words import TimedWord

SENTENCE, CLAUSE, PAUSE, BEFORE_CONNECTIVE, ANYWHERE, WITHIN_UNSPACED, AFTER_LEANING = 0, 3, 4, 6, 10, 12, 16
"""The cost of a break there."""

_PAUSE_MS = 300
_CLOSERS = "\"'”’»›)\\]】」』）"  # noqa: RUF001 - typographic on purpose, here and below
_SENTENCE_END = re.compile(rf"[.!?…。！？｡؟।][{_CLOSERS}]*$")  # noqa: RUF001
_CLAUSE_END = re.compile(rf"(?:[,;:!?…–—、，；：！？،؛]|\.\.)[{_CLOSERS}]*$")  # noqa: RUF001
_ABBREVIATION = re.compile(
    r"(?:\w|mr|mrs|ms|dr|prof|st|vs|etc|approx|no|fig|e\.g|i\.e|z\.b|d\.h|bzw|ca|nr|hr|fr|sr|sra|m|mme)\.",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Words:
    """`connectives`: words that a line may begin with. `leaning`: other words that need the next one."""

    connectives: frozenset[str]
    leaning: frozenset[str]


def _words(connectives: str, leaning: str) -> _Words:
    return _Words(frozenset(connectives.split()), frozenset(leaning.split()))


_NONE = _words("", "")
_LANGUAGES: Mapping[str, _Words] = {
    "en": _words(
        "and or but nor so because if when while although though since until unless whether that which who whom whose "
        "where than as of in on at to for with without by from about into onto over under after before between "
        "through during against among around behind beside beyond despite except inside near outside per toward "
        "towards upon via within like",
        "a an the my your his her its our their this these those some any no every each very too more most is are was "
        "were be been am do does did have has had will would can could shall should may might must not i'm i've i'll "
        "i'd you're we're they're don't doesn't didn't i you he she we they mr. mrs. ms. dr.",
    ),
    "de": _words(
        "und oder aber denn sondern weil dass wenn als ob während obwohl bevor nachdem bis damit sodass wie wer was wo "
        "der die das in im an am auf aus bei mit nach seit von vom zu zum zur für durch gegen ohne um unter über vor "
        "zwischen hinter neben wegen trotz",
        "ein eine einen einem einer eines den dem des mein meine dein deine sein seine ihr ihre unser unsere kein "
        "keine keinen sehr nicht ist sind war waren bin habe hat haben hatte wird werden kann können muss müssen soll "
        "ich du er sie es wir",
    ),
    "fr": _words(
        "et ou mais donc car ni que qui quand lorsque si comme parce puisque où dont à au aux de du des dans en sur "
        "sous par pour avec sans chez vers entre avant après depuis pendant contre",
        "le la les un une mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces très plus "
        "ne pas est sont était suis ai as a avons avez ont je tu il elle nous vous ils elles on",
    ),
    "es": _words(
        "y e o u pero sino ni que quien cuando donde si como porque aunque mientras a al de del en con sin por para "
        "sobre bajo entre hacia hasta desde contra según durante",
        "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra este esta estos estas muy más no es son "
        "era está están he ha han había yo tú él ella nosotros ellos se me te le lo",
    ),
}


class LineBreaks:
    """For a transcript in one language, such as `en` or `en-US`."""

    def __init__(self, language: str) -> None:
        self._known = _LANGUAGES.get(language.replace("_", "-").partition("-")[0].lower(), _NONE)

    def cost(self, left: TimedWord, right: TimedWord) -> int:
        """The cost of a break between these two: nothing after a sentence, most within a phrase."""
        if ends_sentence(left, right):
            return SENTENCE
        if _CLAUSE_END.search(left.text):
            return CLAUSE
        before, after = left.text.lower(), right.text.lower()
        is_pause = left.ends_segment or right.start_ms - left.end_ms >= _PAUSE_MS
        if before in self._known.leaning or before in self._known.connectives:
            return ANYWHERE if is_pause else AFTER_LEANING
        if is_pause:
            return PAUSE
        if after in self._known.connectives:
            return BEFORE_CONNECTIVE
        return ANYWHERE if right.is_spaced else WITHIN_UNSPACED


def ends_sentence(left: TimedWord, right: TimedWord) -> bool:
    if not _SENTENCE_END.search(left.text) or _ABBREVIATION.fullmatch(left.text):
        return False
    letters = [character for character in right.text if character.isalnum()]
    return not letters or not letters[0].islower()

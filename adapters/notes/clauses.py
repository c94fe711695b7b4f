"""Cuts a transcript into sentences. Each is a run of the transcript's words, unchanged.

Engines that write punctuation mark where a sentence ends, or put a comma there and go on. Others give only words. In
that case, and after a comma, a sentence is assumed to begin at words that usually begin one: "i will", "your blood
pressure is", "please", "do you".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.notes.note import Source
from adapters.speech.transcript import Transcript, TranscriptSegment

_END = re.compile(r"[.?!…。？！]['\"”’)]*$")  # noqa: RUF001 - other scripts end their sentences, too

_TITLE = re.compile(r"(?:mr|mrs|ms|dr|prof|st)\.", re.IGNORECASE)
"""A full stop that ends nothing: "Mr. Jones"."""

_PERSON = r"(?:i|we|you|he|she|they|it|there|this|that)"
_VERB = (
    r"(?:am|is|are|was|were|have|has|had|do|does|did|will|would|can|could|should|must|may|might|think|believe|feel|"
    r"feels|felt|take|takes|took|give|gives|gave|eat|eats|ate|drink|drinks|drank|sleep|slept|need|needs|want|wants|"
    r"forget|forgot|hurt|hurts|call|cried|cries|get|gets|got|started|began|noticed|recommend|suggest|suspect|see|hear|"
    r"prescribe|prescribed|cannot|can't|don't|didn't|won't|isn't|wasn't|looks|look|sounds|seems|helped)"
)
_OWNER = r"(?:my|your|his|her|the|our|their)"
_STATE = r"(?:is|are|was|were|has|have|had|looks?|sounds?|shows?|showed|gets?|feels?|hurts?|does|do|will)"
_QUESTION_OPENERS = [
    re.compile(r"any "),
    re.compile(r"(?:what|where|who|how|why|which) (?:\w+ )?(?:do|does|did|is|are|was|brings|should|can|have|has)\b"),
    re.compile(r"when (?:do|does|did|should|can|will)\b"),
    re.compile(
        r"(?:do|does|did|are|is|was|have|has|can|could|will|would|should) (?:you|he|she|it|they|i|we|there|that|any)\b"
    ),
]
_OPENERS = [
    re.compile(rf"{_PERSON} (?:\w+ly |always |never |also |just )?{_VERB}\b"),
    re.compile(r"(?:i'm|i've|i'll|i'd|we'll|we've|he's|she's|it's|there's|that's|you're|they're) "),
    re.compile(rf"{_OWNER} (?:(?!(?:i|we|you|he|she|it|when|if|and|but)\b)\w+ ){{1,5}}?{_STATE}\b"),
    re.compile(r"(?:please|let me|let us|let's|thank you|good (?:morning|afternoon|evening)|hello|yes|no|okay|well) "),
    re.compile(r"if (?:the|you|it|he|she|there|your|his|her|this|that|they)\b"),
    *_QUESTION_OPENERS[1:],
]
_ORDER = re.compile(
    r"(?:take|give him|give her|give them|come back|call us|drink|rest|continue|stop|keep|avoid|try) (?!of\b)"
)
_GOES_ON = re.compile(
    r"(?:an?|the|and|or|but|so|because|if|when|while|that|which|who|whom|whose|what|where|how|why|since|until|than|as|"
    r"of|in|on|at|to|for|with|by|from|about|into|over|under|after|before|between|like|think|hope|believe|know|sure|"
    r"say|said|feel|i|i'd|i'll|i'm|i've|we|we'll|we've|he|she|they|there|my|your|his|her|our|their|this|is|are|was|were|be|been|am|do|does|"
    r"did|not|no|always|never|will|would|can|could|should|must|may|might|have|has|had|please|let|very|too|every)",
    re.IGNORECASE,
)
"""Words that no sentence ends with."""

_REPLY = re.compile(r"(?:yes|yeah|yep|no|nope|nah)", re.IGNORECASE)

_CONDITION = re.compile(r"(?:if|when|while|since|because)", re.IGNORECASE)
_HANGS_TOGETHER = re.compile(
    r"(?:if|when|whenever|while|since|because|unless|once|until|till|before|after|although|though|case)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """Some words of the transcript that belong together. `segment`: the number of the segment that has them."""

    text: str
    source: Source
    speaker: str | None = None
    segment: int = 0


def clauses(transcript: Transcript) -> Iterator[Clause]:
    """All of the transcript, in order; no word is left out or repeated."""
    word = 0
    for number, segment in enumerate(transcript.segments):
        words = segment.text.split()
        for start, end in _spans(words):
            yield _clause(segment, number, words[start:end], from_word=word + start)
        word += len(words)


def _clause(segment: TranscriptSegment, number: int, words: Sequence[str], *, from_word: int) -> Clause:
    return Clause(
        " ".join(words),
        Source(from_word=from_word, to_word=from_word + len(words), start=segment.start, end=segment.end),
        segment.speaker,
        number,
    )


def _spans(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The first word of each sentence of a segment, and the word after its last."""
    begins = _after_an_end if any(_END.search(word) for word in words) else _with_an_opener
    start = 0
    for index in [*begins(words), len(words)]:
        if index > start:
            yield start, index
        start = index


def _after_an_end(words: Sequence[str]) -> Iterator[int]:
    said, is_dependent = 0, False
    for index in range(1, len(words)):
        last = words[index - 1]
        said, is_dependent = said + 1, is_dependent or _hangs_together(last)
        if (_END.search(last) and not _TITLE.fullmatch(last)) or (
            last.endswith(",") and _goes_on_anew(said, is_dependent, words, index)
        ):
            said, is_dependent = 0, False
            yield index


def _hangs_together(word: str) -> bool:
    return _HANGS_TOGETHER.fullmatch(word.strip(",;:")) is not None


def _goes_on_anew(said: int, is_dependent: bool, words: Sequence[str], index: int) -> bool:
    """Whether another sentence begins after a comma: not after "Yes, ...", nor where one depends on the other.

    `said`: how many words the sentence has so far; `is_dependent`: whether it has one that makes it depend on what
    follows. An instruction that holds only under a condition is never quoted without it.
    """
    return said > 1 and not is_dependent and _opens(words, index, after=words[index - 1].rstrip(","))


def _with_an_opener(words: Sequence[str]) -> Iterator[int]:
    # "if the pain gets worse | call us at once": what depends on a condition stays with it.
    is_condition = bool(words) and _CONDITION.fullmatch(words[0]) is not None
    for index in range(1, len(words)):
        if not _opens(words, index, after=words[index - 1]):
            continue
        if is_condition:
            is_condition = False
            continue
        is_condition = _CONDITION.fullmatch(words[index]) is not None
        yield index


def _opens(words: Sequence[str], index: int, *, after: str) -> bool:
    """Whether a sentence usually begins with the words from `index` on, after the word `after`."""
    rest = " ".join(words[index : index + _LONGEST_OPENER]).lower() + " "
    if _REPLY.fullmatch(after) and any(opener.match(rest) for opener in _QUESTION_OPENERS):
        return True  # "any fever no | any cough yes | do you smoke"
    if _GOES_ON.fullmatch(after):
        return False
    is_order = _ORDER.match(rest) is not None and after.lower() != "you"  # "do you take any medicine"
    return is_order or any(opener.match(rest) for opener in _OPENERS)


_LONGEST_OPENER = 8

"""What a model sees of each quotable sentence: its words and where it stands, as numbers of features.

A feature is a short text such as "w:fever"; its number is a checksum of that text, so that no list of words is kept.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from zlib import crc32

from adapters.notes.cues import cues_in
from adapters.notes.quotable import Quotable

SIZE = 1 << 15
"""How many features there are. Different ones may share a number, which costs little."""

EVEN = 0.5
"""As likely as not."""

_PLACES = 10
_LONG_WORD = 6
_STEM = 5
_ENDING = 4
_EXACT_SIZE = 4
_CUES = {
    "exam": ("exam", "examination", "examine", "listen", "palpation", "press", "vital", "vitals"),
    "results": ("results", "result", "x-ray", "xray", "labs", "mri", "scan", "echocardiogram", "ekg"),
    "plan": ("plan", "assessment", "impression", "problem", "recommend", "prescribe", "order", "refer"),
}
_COMMON_WORDS = (
    "a about all also am an and any are as at be been but by can could did do does doing for from get go going gon got "
    "had has have having he her him his how i i'd i'll i'm i've if in is it it's just know like little lot me my n't "
    "na not now of oh on or our out she so some that that's the their them then there they this to uh um up us wan was "
    "we we'll well were what when which who will with would yeah you you're your"
)
COMMON = frozenset(_COMMON_WORDS.split())


def number_of(feature: str) -> int:
    return crc32(feature.encode()) % SIZE


def signs_of_roles(said: Sequence[Quotable]) -> Iterator[list[int]]:
    """Of each sentence, what tells whether a clinician or a patient says it: of a pair, who answers."""
    for index in range(len(said)):
        yield sorted({number_of(f"r:{sign}") for sign in _of_role(said, index)})


def _of_role(said: Sequence[Quotable], index: int) -> Iterator[str]:
    sentence = said[index]
    words = sentence.answer or sentence.words
    yield "always"
    yield from words
    yield from (f"{one} {other}" for one, other in pairwise(words))
    yield f"asks {sentence.is_question and not sentence.answer}"
    yield f"answers {bool(sentence.answer)}"
    yield f"asked {bool(sentence.question)}"
    yield from (f"after the question {word}" for word in sentence.question)
    yield f"long {_size(len(words))}"
    yield f"place {index * _PLACES // len(said)}"


def signs_of_worth(said: Sequence[Quotable], clinician: Sequence[float]) -> Iterator[list[int]]:
    """Of each sentence, one after the other. `clinician`: how likely it is that a clinician says it."""
    counts = Counter(word for one in said for word in set(one.words + one.answer))
    known: set[str] = set()
    since = dict.fromkeys(_CUES, 99)
    for index, sentence in enumerate(said):
        words = set(sentence.words + sentence.answer)
        for cue, its in _CUES.items():
            since[cue] = 0 if words.intersection(its) and clinician[index] > EVEN else since[cue] + 1
        content = words - COMMON
        features = set(_of_words(sentence, "D" if clinician[index] > EVEN else "P"))
        features.update(_of_place(index, len(said), clinician[index]))
        features.update(_of_neighbours(said, index))
        features.update(f"since {cue} {_size(count)}" for cue, count in since.items())
        features.add(f"new {_tenth(len(content - known), len(content))}")
        features.add(f"central {_size(sum(counts[word] - 1 for word in content) // max(1, len(content)))}")
        features.add(f"content {_size(len(content))} of {_size(len(words))}")
        known |= content
        yield sorted(set(map(number_of, features)))


def _of_words(sentence: Quotable, role: str) -> Iterator[str]:
    yield "always"
    for kind, words in (("w", sentence.words), ("a", sentence.answer), ("q", sentence.question)):
        for word in words:
            yield f"{kind}:{word}"
            yield f"{kind}{role}:{word}"
            if len(word) >= _LONG_WORD:
                yield f"{kind}5:{word[:_STEM]}"
                yield f"end:{word[-_ENDING:]}"
            if any(letter.isdigit() for letter in word):
                yield f"{kind}:(number)"
    for one, other in pairwise(sentence.words):
        yield f"b:{one} {other}"
    cues = list(cues_in(" ".join(sentence.words)))
    for cue in cues:
        yield f"cue {cue}"
        yield f"cue {cue} {role}"
    yield f"first cue {''.join(cues[:1])} {role}"
    yield f"first cue {''.join(cues[:1])}"
    yield f"begins {' '.join(sentence.words[:2])}"
    yield f"pair {bool(sentence.answer)} {sentence.is_question} {role}"
    yield f"answer {''.join(sentence.answer[:1])}"
    yield f"courtesy {sentence.is_courtesy}"
    yield f"asked {bool(sentence.question)} {role}"
    yield f"long {_size(len(sentence.words) + len(sentence.answer))}"
    yield f"long {_size(len(sentence.words) + len(sentence.answer))} {role}"


def _of_place(index: int, count: int, clinician: float) -> Iterator[str]:
    place = index * _PLACES // count
    role = int(clinician * 4.999)
    yield f"place {place}"
    yield f"role {role}"
    yield f"place {place} role {role}"
    yield f"from the beginning {_size(index)} {clinician > EVEN}"
    yield f"from the end {_size(count - index)} {clinician > EVEN}"


def _of_neighbours(said: Sequence[Quotable], index: int) -> Iterator[str]:
    for offset in (-2, -1, 1, 2):
        if 0 <= index + offset < len(said):
            other = said[index + offset]
            side = "before" if offset < 0 else "after"
            for word in (*other.words, *other.answer):
                if word not in COMMON:
                    yield f"{side}:{word}"
            if abs(offset) == 1:
                yield f"{side} begins {' '.join(other.words[:2])}"


def _size(count: int) -> int:
    """Roughly: the larger, the rougher."""
    return count if count < _EXACT_SIZE else 2 + 2 * count.bit_length() + (count >> (count.bit_length() - 2) & 1)


def _tenth(part: int, whole: int) -> int:
    return part * 10 // whole if whole else 10

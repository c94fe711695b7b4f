"""Who said it: the share of words with the right speaker, where two voices alternate and where there is one.

A word without a speaker counts as wrong where there are two, and as right where there is one, unless others have one.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import permutations

from adapters.speech.opening import build_engine
from adapters.speech.transcript import Transcript
from tests.tools.bench.words.clips import Place
from tests.tools.bench.words.conditions import CLEAN, in_condition
from tests.tools.bench.words.engines import LANGUAGE, our_spec
from tests.tools.bench.words.sets import READ, Clip

CONDITIONS = (CLEAN, "telephone", "white-15", "pink-15", "opus-16")
LEAST_RIGHT = 0.95
MOST_SPLIT = 0.02

_TURNS_IN_WORDS = {"conversation-two-voices.wav": (3, 3, 9, 4, 15, 10)}
"""How many words each turn has, the voices taking turns."""

_TURN = re.compile(r"^(\w+): (.*)$", re.MULTILINE)
_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True)
class Row:
    """`right`: of two voices, the share of words with the right speaker; of one, of words with the commonest."""

    name: str
    condition: str
    voices: int
    words: int
    right: float


def rows(sets: dict[str, Sequence[Clip]], place: Place) -> Iterator[Row]:
    """For the dialogues and the conversations whose turns are known, and for each read clip."""
    clips = [clip for clips in sets.values() for clip in clips if turns_of(clip)] + list(sets.get(READ, ()))
    others = [clip for clips in sets.values() for clip in clips]
    engine = build_engine(our_spec())
    for condition in CONDITIONS:
        for clip in clips:
            recording = in_condition(clip, condition, others, place.folder)
            transcript = engine.transcribe(lambda path=recording: path.open("rb"), language=LANGUAGE)
            turns = turns_of(clip)
            right = share_right(turns, transcript) if turns else share_of_one(transcript)
            yield Row(clip.name, condition, 2 if turns else 1, transcript.word_count, right)


def turns_of(clip: Clip) -> list[tuple[str, list[str]]]:
    """Who says which words, in order; empty where one speaks, or where that is not known."""
    if clip.name in _TURNS_IN_WORDS:
        words = _words(clip.said)
        counts = _TURNS_IN_WORDS[clip.name]
        ends = [sum(counts[:number]) for number in range(len(counts) + 1)]
        return [("AB"[number % 2], words[ends[number] : ends[number + 1]]) for number in range(len(counts))]
    return [(speaker, _words(said)) for speaker, said in _TURN.findall(clip.said)]


def share_right(turns: Sequence[tuple[str, list[str]]], transcript: Transcript) -> float:
    """Of the words heard that are also in the turns, for the best match of names."""
    said = [(word, speaker) for speaker, words in turns for word in words]
    heard = [(word, segment.speaker) for segment in transcript.segments for word in _words(segment.text)]
    matcher = SequenceMatcher(None, [word for word, _ in said], [word for word, _ in heard], autojunk=False)
    pairs = Counter(
        (said[block.a + at][1], heard[block.b + at][1])
        for block in matcher.get_matching_blocks()
        for at in range(block.size)
    )
    true = sorted({speaker for _, speaker in said})
    named = sorted({speaker for _, speaker in heard if speaker is not None})
    matches = permutations([*named, *("?" * len(true))], len(true))
    best = max(sum(pairs[who, name] for who, name in zip(true, match, strict=True)) for match in matches)
    return best / max(1, pairs.total())


def share_of_one(transcript: Transcript) -> float:
    speakers = Counter(segment.speaker for segment in transcript.segments for _ in _words(segment.text))
    return max(speakers.values(), default=1) / max(1, speakers.total())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())

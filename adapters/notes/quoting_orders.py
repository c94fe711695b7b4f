"""Writer of ordered notes without a language model: it quotes. Promises that every sentence is in the transcript.

A clinical note is chosen and sorted by the model of `extractive.py`. For other talks there is nothing to learn from:
their sentences are cut in the same way, repetitions are left out, and the words of the rules below sort them.

What cannot be quoted is left out: nobody's feelings are guessed, and no chances. A part whose value is one text has
its quotations joined by "…".
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.notes.centrality import Said, most_central, most_related
from adapters.notes.clauses import clauses
from adapters.notes.extractive import extract, is_english
from adapters.notes.orders import ByTemplate, OrderedNote, Wish
from adapters.notes.quotable import Quotable, quotable
from adapters.notes.signs import COMMON
from adapters.notes.templates import TEMPLATES, PartKind
from adapters.speech.speakers import labels_of
from adapters.speech.transcript import Transcript
from domain.events import NoteTemplate

MOST_QUOTED = 30
"""Sentences in one part. If more fit, the most central of them are quoted."""

MOST_KEY_POINTS = 10
MOST_IN_A_TEXT = 3
LONGEST_QUOTED = 1_000
"""In characters: not every language marks where a sentence ends, and not every engine. What follows is left out."""

QUOTATIONS = "quotations"
"""The part that answers a prompt; and what was said in a language whose words this writer does not know."""

_TO_DO = (
    r"\b(?:i will|we will|you will|they will|i'll|we'll|i am going to|we are going to|i'm going to|we're going to|"
    r"let us|let's|i can send|please|need to|needs to|have to|should|must|follow up|follow-up|get back to|"
    r"next step\w*|action item\w*|by (?:monday|tuesday|wednesday|thursday|friday|tomorrow|the end of))\b"
)
_DECIDED = (
    r"\b(?:decided|decision|agreed|agree on|we agree|settled on|approved|we(?:'re| are) going with|let's go with|"
    r"we chose|it is a deal|it's a deal)\b"
)
_MONEY = (
    r"(?:\b(?:budget\w*|price\w*|pricing|cost\w*|discount\w*|afford\w*|dollars?|euros?|pounds?|invoice\w*|expensive|"
    r"cheap\w*|per (?:month|year|seat|user))\b|[$€£]\s?\d|\b\d+k\b)"
)
_WHEN = (
    r"\b(?:deadline\w*|timeline|quarter|q[1-4]|go live|launch\w*|roll ?out|next (?:week|month|quarter|year)|"
    r"this (?:month|quarter|year)|in (?:\w+ )?(?:days|weeks|months)|by (?:the end|march|may|monday|tuesday|wednesday|"
    r"thursday|friday)|january|february|april|june|july|august|september|october|november|december)\b"
)
_TROUBLE = (
    r"\b(?:problem\w*|trouble\w*|issue\w*|struggl\w*|difficult\w*|hard to|too (?:slow|long|many|much|complicated)|slow|"
    r"frustrat\w*|annoy\w*|challeng\w*|complain\w*|waste\w*|los(?:e|es|ing) (?:time|money|customers|data)|"
    r"do(?:es)? not work|don't work|doesn't work|broken|fail\w*|manual\w*|error\w*|worr(?:y|ied))\b"
)
_LAW_QUESTION = (
    r"\b(?:whether|the question is|dispute\w*|claim\w*|liab\w*|breach\w*|entitled|lawsuit|sue[ds]?|violat\w*|damages|"
    r"infring\w*|terminat\w*|negligen\w*)\b"
)
_LAW = (
    r"\b(?:section \w+|article \w+|statute\w*|the law|case law|court\w*|precedent\w*|because|therefore|under the|"
    r"according to|clause|contract says|requires?)\b"
)
_ADVICE = (
    r"\b(?:i advise|we advise|my advice|i recommend|we recommend|i suggest|i conclude|in conclusion|i would settle|"
    r"you should|we should|you have a (?:good|strong|weak) case)\b"
)
_PARTY = (
    r"\b(?:plaintiff|defendant|claimant|landlord|tenant|lessor|lessee|client|employer|employee|seller|buyer|insurer|"
    r"insured|contractor|licensee|licensor|trustee|heir\w*|my (?:company|husband|wife|partner))\b"
)
_HAPPENED = (
    r"\b(?:was|were|had|did|signed|paid|told|said|received|sent|moved|happened|hit|fell|fired|bought|sold|agreed|stopped|"
    r"started|refused|promised|gave|took|came|went|wrote|called)\b"
)

_Rules = Sequence[tuple[str, re.Pattern[str]]]
_RULES: Mapping[NoteTemplate, _Rules] = {
    NoteTemplate.GENERAL: (("decisions", re.compile(_DECIDED)), ("action_items", re.compile(_TO_DO))),
    NoteTemplate.SALES: (
        ("budget", re.compile(_MONEY)),
        ("pain_points", re.compile(_TROUBLE)),
        ("timeline", re.compile(_WHEN)),
        ("next_steps", re.compile(_TO_DO)),
    ),
    NoteTemplate.LEGAL: (
        ("conclusion", re.compile(_ADVICE)),
        ("issues", re.compile(_LAW_QUESTION)),
        ("analysis", re.compile(_LAW)),
        ("parties", re.compile(_PARTY)),
        ("facts", re.compile(_HAPPENED)),
    ),
}
"""For spoken English. The first match decides."""


class QuotingOrderWriter:
    """Never fails."""

    name = "extractive"

    async def write(self, transcript: Transcript, wish: Wish) -> OrderedNote:
        """Quotations only."""
        return await asyncio.to_thread(quote, transcript, wish)


def quote(transcript: Transcript, wish: Wish) -> OrderedNote:
    """The note. Each of its sentences is a run of the transcript's words, unchanged."""
    if isinstance(wish, ByTemplate):
        output = _by_template(wish.template, transcript)
        about = _ABOUT[wish.template] if is_english(transcript) else _ABOUT_UNSORTED
    else:
        said = list(clauses(transcript))
        output = {QUOTATIONS: _texts(most_related(said, wish.prompt, MOST_QUOTED) or most_central(said, MOST_QUOTED))}
        about = _ABOUT_PROMPT
    engine, language = QuotingOrderWriter.name, transcript.language
    return OrderedNote(output=output, engine=engine, language=language, about=about)


_DRAFT = "A draft to be reviewed. All sentences are quoted from the transcript."
_BY_WORDS = f"{_DRAFT} They are sorted by rules for words, and nothing was learned from such conversations."
_ABOUT = dict.fromkeys(NoteTemplate, _BY_WORDS) | {
    NoteTemplate.CLINICAL: f"{_DRAFT} They are chosen and sorted by a model that learned from consultations and their "
    "notes."
}
_ABOUT_PROMPT = (
    f"{_DRAFT} They share words with the prompt or, if none does, with each other. The prompt is not understood."
)
_ABOUT_UNSORTED = f"{_DRAFT} They share words with each other and are not sorted: only English can be."


def _by_template(template: NoteTemplate, transcript: Transcript) -> dict[str, Any]:
    if not is_english(transcript):
        return _unsorted(template, transcript)
    said = [sentence for sentence in quotable(transcript) if sentence.is_statement]
    found = _sorted(template, transcript, said)
    if template is NoteTemplate.GENERAL:
        found |= dict.fromkeys(("overview", "key_points"), most_central(said, MOST_KEY_POINTS))
    return _in_parts(template, transcript, found)


def _unsorted(template: NoteTemplate, transcript: Transcript) -> dict[str, Any]:
    """What is said again and again: it needs no knowledge of a language's words."""
    said = list(clauses(transcript))
    points = most_central(said, MOST_KEY_POINTS) if template is NoteTemplate.GENERAL else []
    output = _in_parts(template, transcript, {"overview": points, "key_points": points})
    return output | {QUOTATIONS: _texts(most_central(said, MOST_QUOTED))}


def _in_parts(template: NoteTemplate, transcript: Transcript, found: Mapping[str, Sequence[Said]]) -> dict[str, Any]:
    output = {part.name: _value(part.kind, found.get(part.name, [])) for part in TEMPLATES[template]}
    if template is NoteTemplate.GENERAL:
        output["participants"] = sorted(labels_of(transcript).values())
    return output


def _sorted(template: NoteTemplate, transcript: Transcript, said: Sequence[Quotable]) -> dict[str, Sequence[Said]]:
    """The sentences by the name of their part."""
    if template is NoteTemplate.CLINICAL:
        return {section.value: sentences for section, sentences in extract(transcript).sections.items()}
    found: dict[str, list[Quotable]] = {}
    for sentence in said:
        words = sentence.text.lower()
        part = next((part for part, rule in _RULES[template] if rule.search(words)), None)
        if part is not None:
            found.setdefault(part, []).append(sentence)
    return {part: _said_once(sentences) for part, sentences in found.items()}


def _said_once(sentences: Sequence[Quotable]) -> list[Quotable]:
    """Without those that only repeat the words of an earlier one."""
    kept: list[Quotable] = []
    known: set[frozenset[str]] = set()
    for sentence in sentences:
        content = frozenset(sentence.words + sentence.answer) - COMMON
        if content not in known:
            kept.append(sentence)
            known.add(content)
    return kept


def _value(kind: PartKind, its: Sequence[Said]) -> list[str] | str | None:
    if kind is PartKind.SENTENCES:
        return _texts(most_central(its, MOST_QUOTED))
    return " … ".join(_texts(most_central(its, MOST_IN_A_TEXT))) or None


def _texts(quoted: Sequence[Said]) -> list[str]:
    return [_begun(sentence.text) for sentence in quoted]


def _begun(sentence: str) -> str:
    """As much of it as is quoted, up to the end of a word."""
    if len(sentence) <= LONGEST_QUOTED:
        return sentence
    space = sentence.rfind(" ", 1, LONGEST_QUOTED + 1)
    return sentence[: space if space > 0 else LONGEST_QUOTED]

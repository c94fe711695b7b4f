"""Writer of ordered notes without a model or a network: it quotes. Promises that every sentence is in the transcript.

What cannot be quoted is left out: nobody's feelings are guessed, and no chances. A part whose value is one text has
its quotations joined by "…".
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.notes.centrality import most_central, most_related
from adapters.notes.clauses import Clause, clauses
from adapters.notes.extractive import is_english, section_of, stated_in
from adapters.notes.orders import ByTemplate, OrderedNote, Wish
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
    said = list(clauses(transcript))
    if isinstance(wish, ByTemplate):
        output = _by_template(wish.template, transcript, said)
    else:
        related = most_related(said, wish.prompt, MOST_QUOTED) or most_central(said, MOST_QUOTED)
        output = {QUOTATIONS: _texts(related)}
    return OrderedNote(output=output, engine=QuotingOrderWriter.name, language=transcript.language)


def _by_template(template: NoteTemplate, transcript: Transcript, said: Sequence[Clause]) -> dict[str, Any]:
    knows_the_words = is_english(transcript)
    found = _sorted(template, said) if knows_the_words else {}
    if template is NoteTemplate.GENERAL:
        found |= dict.fromkeys(("overview", "key_points"), _key_points(said))
    output = {part.name: _value(part.kind, found.get(part.name, [])) for part in TEMPLATES[template]}
    if template is NoteTemplate.GENERAL:
        output["participants"] = sorted(labels_of(transcript).values())
    return output if knows_the_words else output | {QUOTATIONS: _texts(most_central(said, MOST_QUOTED))}


def _sorted(template: NoteTemplate, said: Sequence[Clause]) -> dict[str, list[Clause]]:
    """The sentences by the name of their part."""
    part_of = _section_name if template is NoteTemplate.CLINICAL else _part_by(_RULES[template])
    found: dict[str, list[Clause]] = {}
    for clause in said:
        part = part_of(clause)
        if part is not None:
            found.setdefault(part, []).append(clause)
    return found


def _section_name(clause: Clause) -> str | None:
    section = section_of(clause)
    return None if section is None else section.value


def _part_by(rules: _Rules) -> Callable[[Clause], str | None]:
    def part_of(clause: Clause) -> str | None:
        if stated_in(clause) is None:
            return None
        said = clause.text.lower()
        return next((part for part, rule in rules if rule.search(said)), None)

    return part_of


def _key_points(said: Sequence[Clause]) -> list[Clause]:
    """What is said again and again: it needs no knowledge of a language's words."""
    return most_central([clause for clause in said if stated_in(clause) is not None], MOST_KEY_POINTS)


def _value(kind: PartKind, its: Sequence[Clause]) -> list[str] | str | None:
    if kind is PartKind.SENTENCES:
        return _texts(most_central(its, MOST_QUOTED))
    return " … ".join(_texts(most_central(its, MOST_IN_A_TEXT))) or None


def _texts(quoted: Sequence[Clause]) -> list[str]:
    return [_begun(clause.text) for clause in quoted]


def _begun(sentence: str) -> str:
    """As much of it as is quoted, up to the end of a word."""
    if len(sentence) <= LONGEST_QUOTED:
        return sentence
    space = sentence.rfind(" ", 1, LONGEST_QUOTED + 1)
    return sentence[: space if space > 0 else LONGEST_QUOTED]

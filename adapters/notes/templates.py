"""The parts of a note by its template: their names, what belongs into each, and what kind of value it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.events import NoteTemplate


class PartKind(StrEnum):
    """What a part's value is in a note."""

    SENTENCES = "sentences"
    """A list of texts, which is empty where nothing was said."""

    TEXT = "text"
    """A text, or None where nothing was said."""

    SHARE = "share"
    """A number from 0 to 1, or None where nobody can know it."""


@dataclass(frozen=True, slots=True)
class Part:
    """`about`: what belongs into it, in words for a writer."""

    name: str
    kind: PartKind
    about: str


def _sentences(name: str, about: str) -> Part:
    return Part(name, PartKind.SENTENCES, about)


def _text(name: str, about: str) -> Part:
    return Part(name, PartKind.TEXT, about)


TEMPLATES: Mapping[NoteTemplate, tuple[Part, ...]] = {
    NoteTemplate.GENERAL: (
        _text("overview", "what the conversation was about and what came of it, in at most three sentences"),
        _sentences("key_points", "the most important things that were said"),
        _sentences(
            "action_items", "what someone said they or others will do, with who and until when, if that was said"
        ),
        _sentences(
            "participants", "who took part, by the names or roles that were said, or as the transcript calls them"
        ),
        _sentences("decisions", "what was decided or agreed"),
    ),
    NoteTemplate.SALES: (
        _sentences("pain_points", "the problems that the customer has"),
        _text("budget", "what was said about money: a budget, a price, a discount"),
        _text("timeline", "what was said about when something is needed or will happen"),
        _sentences("next_steps", "what the two sides will do next"),
        _text("sentiment", "how the customer feels about the offer: positive, neutral, negative or mixed"),
        Part("deal_probability", PartKind.SHARE, "how likely it is that the customer buys"),
    ),
    NoteTemplate.CLINICAL: (
        _sentences(
            "subjective", "what the patient or a relative reports: complaint, its course, history, medicines taken"
        ),
        _sentences("objective", "what the clinician measured, saw, heard or found"),
        _sentences("assessment", "what the clinician thinks it is"),
        _sentences("plan", "what is to be done: tests, treatment, advice, when to come back"),
    ),
    NoteTemplate.LEGAL: (
        _sentences("facts", "what happened, as it was told"),
        _sentences("issues", "the legal questions"),
        _sentences("analysis", "what was said about the law and how it applies"),
        _text("conclusion", "what was advised or concluded"),
        _sentences("parties", "who is concerned, and in which role"),
    ),
}
"""Named after the sections that Bota's templates have (service/dialects/bota/REFERENCE.md)."""

"""Under which heading of its section a sentence stands, and for which problem: where its words say so, or the model."""

import re
from collections.abc import Mapping, Sequence

from adapters.notes.choosing import section_of
from adapters.notes.cues import cues_in
from adapters.notes.note import Heading, Section
from adapters.notes.note_model import HEADINGS, Judged
from adapters.notes.statement_ends import bare

_ALLERGY = re.compile(r"\b(?:allergic|allergies to|drug allerg\w+|medication allerg\w+|any allergies)\b")
_MEDICINE = re.compile(
    r"\b(?:\d+ ?(?:mg|mcg|milligrams?|micrograms?|units)|tablets?|pills?|capsules?|inhalers?|insulin|aspirin|tylenol|"
    r"advil|paracetamol|acetaminophen|antibiotics?|medicines?|medications?|painkillers?|(?!april)\w{3,}(?:pril|olol|statin|formin|"
    r"azole|cillin|mycin|profen|sartan|gliptin|oxetine|dipine|oxacin|prazole|terol|sone|caine|codone|tadine))\b"
)
_EARLY = 0.4
_COMPLAINTS = 3
"""The complaint is one of so many sentences of the history that are said first, in that part of the conversation."""

_PROBLEM = re.compile(
    r"(?:(?:and|so|now|then|next|lastly|finally|first|second|third|okay|um|uh) )*"
    r"(?:for|regarding|as for|in terms of|as far as) (?:your|the|his|her|their) "
    r"(?:(?:first|second|third|fourth|next|last|other|second) (?:problem|issue|diagnosis|concern) )?"
    r"(?:of )?(?:your |the |his |her |their )?(?P<name>[a-z][a-z' -]*)"
)
_WORDS_AFTER_A_NAME = (
    "i i'm i'd i'll we we'll we're you you're he he's she she's it it's its they that that's this there there's is "
    "are was were has have had let let's what so and um uh okay ok which because if then now today please continue "
    "looks seems like as when will would should could do does did looking just go going here or but first second "
    "third next last problem"
)
_ENDS_A_NAME = frozenset(_WORDS_AFTER_A_NAME.split())
_MOST_NAME_WORDS = 4
_FIRST_WORDS = 16
"""Of a sentence, in which it would name a problem."""
_WORDS_OF_NO_PROBLEM = (
    "first second third next last time future most part rest pain visit day week moment past reason follow results "
    "exam examination visits office right left nurse doctor front desk other thing things same way record whole few "
    "couple plan assessment"
)
_NO_PROBLEM = frozenset(_WORDS_OF_NO_PROBLEM.split())


def heading_of(one: Judged, section: Section) -> Heading:
    """The likeliest of the section, unless the words say another."""
    if section is Section.SUBJECTIVE:
        words = " ".join((*one.sentence.words, *one.sentence.answer))
        if _ALLERGY.search(words):
            return Heading.ALLERGIES
        if _MEDICINE.search(words):
            return Heading.MEDICATIONS
    likely = [heading for heading in HEADINGS if heading.section is section and heading is not Heading.CHIEF_COMPLAINT]
    return max(likely, key=lambda heading: one.headings[heading])


def headings_of(judged: Sequence[Judged], quoted: Mapping[int, Section]) -> dict[int, Heading]:
    """Of the sentences with the numbers in `quoted`, which says the section of each."""
    found = {index: heading_of(judged[index], section) for index, section in quoted.items()}
    early = [index for index, heading in found.items() if heading is Heading.HISTORY and index <= _EARLY * len(judged)]
    complaints = [index for index in early[:_COMPLAINTS] if _complains(judged[index])] or early
    if complaints:
        found[complaints[0]] = Heading.CHIEF_COMPLAINT
    return found


def _complains(one: Judged) -> bool:
    return "symptom" in cues_in(" ".join(one.sentence.words))


def problems_of(judged: Sequence[Judged]) -> list[str | None]:
    """The problem that each sentence is about, in the conversation's words: "for your high blood pressure" begins one.

    The clinician names it, and it stands until another is named.
    """
    problem: str | None = None
    problems = []
    for one in judged:
        is_assessed = section_of(one) in (Section.ASSESSMENT, Section.PLAN)
        if one.is_clinicians and (is_assessed or "problem" in one.sentence.words):
            problem = _problem_named(one.sentence.text) or problem
        problems.append(problem if is_assessed else None)
    return problems


def _problem_named(text: str) -> str | None:
    """Up to a comma or the end, or up to words that go on with something else: it is a run of the text's words."""
    words = text.split()
    spoken = [index for index, word in enumerate(words) if bare(word)]
    found = _PROBLEM.match(" ".join(bare(words[index]) for index in spoken[:_FIRST_WORDS]))
    if found is None:
        return None
    first = spoken[len(found.string[: found.start("name")].split())]
    name: list[str] = []
    for word in words[first : first + _MOST_NAME_WORDS]:
        if not bare(word) or bare(word) in _ENDS_A_NAME or bare(word).startswith("i-"):
            break
        name.append(word)
        if word[-1] in ",.;:":
            break
    if not name or _NO_PROBLEM.intersection(map(bare, name)):
        return None
    return " ".join(name).strip(" ,.;:")

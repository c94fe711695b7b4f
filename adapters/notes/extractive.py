"""Note writer without a model or a network: it quotes. Promises that every sentence is in the transcript.

A sentence goes to the section that its words point to, by the rules for spoken English below. Questions, courtesies
and sentences that point nowhere are left out. Nothing is rephrased, completed or inferred.
"""

import asyncio
import re
from collections.abc import Sequence

from adapters.notes.clauses import Clause, clauses
from adapters.notes.note import Note, Section, Sentence
from adapters.speech.transcript import Transcript

_COURTESY = re.compile(
    r"(?:good (?:morning|afternoon|evening)|hello|thank you|thanks|goodbye|please sit down|please come in|let me|"
    r"i am sorry|i'm sorry|it is good to see|we will \w+ that$|i will try|i will do that|that is good|yes$|no$|okay$)"
)
_QUESTION = re.compile(
    r"(?:(?:yes |no |well |and |so )?(?:what|where|who|how|why|which|when (?:do|did|does|should|can|is|are))\b|"
    r"(?:do|does|did|are|is|was|were|have|has|can|could|will|would|should) "
    r"(?:you|he|she|it|they|i|we|there|that|this|any|anyone|anybody|your|his|her|the)\b)"
)
_ILLNESS = (
    r"(?:disease|infection|diabetes|migraine|asthma|pneumonia|bronchitis|angina|flu|influenza|cold|syndrome|disorder|"
    r"cancer|allergy|hypertension|arthritis|anemia|gastritis|reflux|sinusitis|tonsillitis|depression|anxiety|fracture|"
    r"sprain|inflammation|diagnosis)"
)
_BODY = (
    r"(?:blood pressure|blood sugar|sugar|temperature|pulse|heart|heart rate|heart sounds?|lungs?|breathing|oxygen|"
    r"weight|height|ears?|eardrum|throat|nose|eyes?|skin|belly|abdomen|stomach|liver|reflexes|knee|leg|foot|feet|hand|"
    r"arm|back|neck|chest|test|tests|results?|x ray|x-ray|scan|ultrasound|ecg|ekg|numbers|tonsils|glands|swelling)"
)
_OTHERS = r"(?:your|his|her|the|their)"

# The first match decides: plans are recognized by their verb, findings by a part of the body and what was found.
_RULES: Sequence[tuple[Section, re.Pattern[str]]] = [
    (
        Section.PLAN,
        re.compile(
            r"(?:^(?:please |you should |you must |you need to |you can |then |and )?(?:take|give (?:him|her|them)|"
            r"come back|call|drink|rest|walk|continue|stop|keep|avoid|use|apply|return|make an appointment)\b"
            r"|^(?:please)\b"
            r"|\b(?:i will|we will|i'll|we'll|i am going to|we are going to|i'm going to|let us|let's|i want you to|"
            r"i would like you to|i recommend|i suggest|i prescribe)\b"
            r"|\b(?:you|he|she|they|we) (?:should|must|need to|needs to|ought to)\b"
            r"|\b(?:call us|come back|follow up|follow-up|prescription|prescribe|refer (?:you|him|her)|referral)\b)"
        ),
    ),
    (
        Section.SUBJECTIVE,
        re.compile(
            r"(?:\b(?:i|i'm|i've|i'd|we) (?!think|believe|suspect|see|hear|can see|can hear|found|find|call)\w+"
            r"|\b(?:my|me|mine)\b"
            r"|\b(?:since yesterday|last night|this morning)\b)"
        ),
    ),
    (
        Section.ASSESSMENT,
        re.compile(
            r"(?:\bi (?:think|believe|suspect|am sure)\b"
            r"|^(?:so )?(?:this|that|it) (?:is|looks like|seems to be|may be|could be|might be) "
            r"(?:an?|the|probably|likely|most likely|very common|common|not serious|consistent)\b"
            rf"|\bwe call (?:it|this)\b|\b(?:consistent with|diagnos\w+|most likely|probably)\b"
            rf"|^(?:you|he|she|your (?:son|daughter|child|mother|father)) (?:have|has) .*\b{_ILLNESS}\b"
            rf"|^(?:your|his|her|the) {_ILLNESS} (?:is|are|has)\b"
            rf"|\bis called\b|\bname of (?:this|the) {_ILLNESS}\b)"
        ),
    ),
    (
        Section.OBJECTIVE,
        re.compile(
            rf"(?:^{_OTHERS} (?:\w+ ){{0,3}}?{_BODY}\b"
            r"|\b(?:no|any) signs? of\b|\b(?:red and swollen|swollen and red)\b"
            r"|\b(?:over|by) (?:\w+ty|one hundred|\d{2,3})\b"
            r"|\bi (?:can )?(?:see|hear|found|find)\b|\bon examination\b)"
        ),
    ),
    (
        Section.SUBJECTIVE,
        re.compile(
            r"\b(?:pain|pains|painful|ache\w*|hurts?|hurting|fever|cough\w*|tired|thirsty|dizzy|nausea|sick|vomit\w*|"
            r"threw up|rash|itch\w*|headaches?|short of breath|breathless|bleed\w*|sleep\w*|slept|cried|cries|crying|"
            r"worse|better|allergic|appetite|eats?|drinks?|eaten|drunk)\b"
        ),
    ),
]


class ExtractiveNoteWriter:
    """Knows only spoken English: in other languages, everything that was said is in the first section."""

    name = "extractive"

    async def write(self, transcript: Transcript) -> Note:
        """Quotations, each with its source. Never fails."""
        return await asyncio.to_thread(extract, transcript)


def extract(transcript: Transcript) -> Note:
    """The note. Each of its sentences is a run of the transcript's words, unchanged."""
    sections: dict[Section, list[Sentence]] = {section: [] for section in Section}
    knows_the_words = is_english(transcript)
    for clause in clauses(transcript):
        section = section_of(clause) if knows_the_words else Section.SUBJECTIVE
        if section is not None:
            sections[section].append(Sentence(text=clause.text, source=clause.source))
    return Note(
        sections={section: tuple(sentences) for section, sentences in sections.items()},
        engine=ExtractiveNoteWriter.name,
        language=transcript.language,
    )


def is_english(transcript: Transcript) -> bool:
    return transcript.language.partition("-")[0].lower() == "en"


def section_of(clause: Clause) -> Section | None:
    """The section that a sentence belongs to; None when it states nothing for a note."""
    said = stated_in(clause)
    return None if said is None else next((section for section, rule in _RULES if rule.search(said)), None)


def stated_in(clause: Clause) -> str | None:
    """What an English sentence states, in small letters and without punctuation; None for questions and courtesies."""
    said = re.sub(r"[^\w' -]", "", clause.text.lower()).strip()
    said = re.sub(r"^(?:yes|no|well|okay|so) (?=\w)", "", said)
    if clause.text.endswith("?") or _QUESTION.match(said) or _COURTESY.match(said):
        return None
    return said

"""Notes that quote: every sentence stands in the transcript, and each thing said in its section."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.notes.clauses import clauses
from adapters.notes.extractive import ExtractiveNoteWriter, extract
from adapters.notes.note import Note, Section
from adapters.speech.transcript import Transcript, TranscriptSegment
from tests.tools import dialogues

SAID = {
    "chest_pain": {
        Section.SUBJECTIVE: ["I have had pain in my chest since last night."],
        Section.OBJECTIVE: ["Your blood pressure is one hundred and sixty over ninety.", "Your lungs are clear."],
        Section.ASSESSMENT: ["I think this is a problem with the blood supply of the heart."],
        Section.PLAN: ["We will do a blood test today.", "Please come back in one week."],
    },
    "diabetes": {
        Section.SUBJECTIVE: [
            "I have been very tired for the last two weeks.",
            "I eat too much bread, and I do not walk",
        ],
        Section.OBJECTIVE: [
            "Your weight is ninety kilograms.",
            "There is no sign of damage to your eyes or your feet.",
        ],
        Section.ASSESSMENT: ["Your diabetes is not under control at the moment."],
        Section.PLAN: ["I will increase the dose of your tablets.", "Please walk for half an hour every day."],
    },
    "ear_infection": {
        Section.SUBJECTIVE: [
            "My son has had a pain in his right ear since yesterday.",
            "Yes, he had a fever last night",
        ],
        Section.OBJECTIVE: ["His temperature is one hundred and two.", "The right ear is red and swollen."],
        Section.ASSESSMENT: ["Your son has an infection of the middle ear."],
        Section.PLAN: ["I will give him a medicine for seven days.", "He should rest at home"],
    },
}
WORDS = st.text(st.sampled_from("abcdefghij kl.?!,'"), min_size=1, max_size=30)
PHRASES = st.sampled_from(
    ["i have a pain", "please take", "your blood pressure is high", "this is a cold", "do you", "if the", "i", "when"]
)


def transcript_of(*texts, language="en"):
    segments = [
        TranscriptSegment(start=float(second), end=second + 0.9, text=" ".join(text.split()))
        for second, text in enumerate(texts)
        if text.split()
    ]
    return Transcript.of_segments(segments, language=language, engine="x", provider=None, duration_ms=len(texts) * 1000)


def spoken(name):
    return transcript_of(*(line.partition(": ")[2] for line in dialogues.text(name).splitlines()))


def texts(note, section):
    return [sentence.text for sentence in note.sections[section]]


@pytest.mark.parametrize("name", dialogues.NAMES)
def test_complaint_finding_diagnosis_and_plan_stand_in_their_sections(name):
    note = extract(spoken(name))
    for section, sentences in SAID[name].items():
        for sentence in sentences:
            assert any(found.startswith(sentence) for found in texts(note, section)), (sentence, note)


@pytest.mark.parametrize("name", dialogues.NAMES)
def test_questions_and_courtesies_are_no_part_of_a_note(name):
    note = extract(spoken(name))
    for sentence in (sentence for section in Section for sentence in texts(note, section)):
        assert not sentence.endswith("?")
        assert not sentence.startswith(("Good", "Thank you"))


@pytest.mark.parametrize("name", dialogues.NAMES)
def test_without_punctuation_the_same_things_stand_in_the_same_sections(name):
    """As engines hear it that write words alone."""
    lines = [line.partition(": ")[2].lower() for line in dialogues.text(name).splitlines()]
    bare = transcript_of(*("".join(letter for letter in line if letter not in ".,?!") for line in lines))
    note = extract(bare)
    for section, sentences in SAID[name].items():
        for sentence in sentences:
            words = "".join(letter for letter in sentence.lower() if letter not in ".,?!").removeprefix("yes ")
            assert any(words in found for found in texts(note, section)), (words, note)


@given(st.lists(st.one_of(WORDS, PHRASES, st.lists(PHRASES, max_size=5).map(" ".join)), max_size=6))
def test_every_sentence_is_words_of_the_transcript_next_to_each_other_at_their_place(said):
    transcript = transcript_of(*said)
    words = transcript.text.split()
    cut = list(clauses(transcript))
    assert [word for clause in cut for word in clause.text.split()] == words
    taken = set()
    for sentence in (sentence for section in extract(transcript).sections.values() for sentence in section):
        source = sentence.source
        assert words[source.from_word : source.to_word] == sentence.text.split()
        assert (source.start, source.end) == times_of(transcript, source)
        place = range(source.from_word, source.to_word)
        assert taken.isdisjoint(place)
        taken.update(place)


def times_of(transcript, source):
    """When the segment of its first word begins, and when that of its last one ends."""
    segments = [segment for segment in transcript.segments for _ in segment.text.split()]
    return segments[source.from_word].start, segments[source.to_word - 1].end


@given(st.lists(st.one_of(WORDS, PHRASES, st.lists(PHRASES, max_size=5).map(" ".join)), max_size=6))
def test_sections_keep_the_conversations_order_and_the_same_transcript_gives_the_same_note(said):
    transcript = transcript_of(*said)
    note = extract(transcript)
    for sentences in note.sections.values():
        places = [sentence.source.from_word for sentence in sentences]
        assert places == sorted(places)
    assert extract(transcript) == note


ANYTHING = st.text(max_size=60).map(lambda text: " ".join(text.split())).filter(bool)
ANYONE = st.sampled_from([None, "", "S1", "S2", "S3"])
CUES = st.sampled_from(["for your first problem , your asthma , we will", "any fever ? no", "i am allergic to it", "?"])


@given(st.lists(st.tuples(ANYONE, ANYTHING | PHRASES | CUES), max_size=8), st.sampled_from(["en", "en-US", "de", ""]))
def test_whatever_was_said_and_by_whom_there_is_a_note_of_it_and_its_problems_are_the_transcripts_words(said, language):
    segments = [
        TranscriptSegment(start=float(second), end=second + 0.9, text=text, speaker=speaker)
        for second, (speaker, text) in enumerate(said)
    ]
    transcript = Transcript.of_segments(segments, language=language, engine="x", provider=None, duration_ms=12_000)
    note = extract(transcript)
    for sentence in (sentence for sentences in note.sections.values() for sentence in sentences):
        assert f" {sentence.text} " in f" {' '.join(transcript.text.split())} "
        assert sentence.problem is None or sentence.problem in transcript.text
    assert Note.from_json(note.to_json()) == note


def test_sentences_that_an_engine_joined_with_commas_go_to_their_sections_one_by_one():
    note = extract(
        transcript_of(
            "Good morning, doctor, I have had pain in my chest since last night.",
            "Let me look at your numbers, your weight is 90 kilograms, your blood sugar today is 240.",
            "We will do a blood test today, please come back in one week, if the pain gets worse, call us at once.",
            "Yes, he had a fever last night, and he cried for hours.",
        )
    )
    assert texts(note, Section.SUBJECTIVE) == [
        "I have had pain in my chest since last night.",
        "Yes, he had a fever last night, and he cried for hours.",
    ]
    assert texts(note, Section.OBJECTIVE) == ["your weight is 90 kilograms,", "your blood sugar today is 240."]
    assert texts(note, Section.PLAN) == [
        "We will do a blood test today,",
        "please come back in one week,",
        "if the pain gets worse, call us at once.",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "Well, if the pain gets worse, please call us at once.",
        "Take it easy, and if the pain gets worse, please call us at once.",
        "Unless it hurts, take two tablets a day.",
        "Once the fever is gone, stop the antibiotic.",
        "And when it hurts, take one tablet.",
    ],
)
def test_an_order_is_not_quoted_without_the_condition_it_holds_under(said):
    *_, last = (clause.text for clause in clauses(transcript_of(said)))
    assert any(word in last.lower().split() for word in ("if", "unless", "once", "when"))


def test_what_hangs_on_a_condition_stays_with_it():
    said = "take one tablet if the pain gets worse call us at once your lungs are clear"
    cut = [clause.text for clause in clauses(transcript_of(said))]
    assert cut == ["take one tablet", "if the pain gets worse call us at once", "your lungs are clear"]


def test_in_another_language_all_that_was_said_stands_in_the_first_section():
    said = ["Ich habe Kopfschmerzen. Bitte nehmen Sie eine Tablette.", "Danke."]
    note = extract(transcript_of(*said, language="de"))
    assert texts(note, Section.SUBJECTIVE) == [
        "Ich habe Kopfschmerzen.",
        "Bitte nehmen Sie eine Tablette.",
        "Danke.",
    ]
    assert note.language == "de"


def test_nothing_said_is_a_note_with_every_section_empty():
    note = asyncio.run(ExtractiveNoteWriter().write(transcript_of()))
    assert note.sections == dict.fromkeys(Section, ())
    assert Note.from_json(note.to_json()) == note


def test_a_stored_note_is_read_as_it_was():
    note = extract(spoken("chest_pain"))
    assert Note.from_json(note.to_json()) == note

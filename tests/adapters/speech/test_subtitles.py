"""Subtitles as their viewers see them: what the guides ask for, whatever was said."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given

from adapters.speech.cues import cues_of
from adapters.speech.speakers import labels_of
from adapters.speech.subtitles import subrip, webvtt
from adapters.speech.transcript import Transcript, TranscriptSegment, TranscriptWord, segment_of
from service.sample import spoken_text
from tests.adapters.speech.spoken import said, transcript_of, transcripts
from tests.adapters.speech.subtitle_files import ShownCue, read_by_ffmpeg, read_subrip, read_webvtt

NOTHING = transcript_of([])


def shown(transcript: Transcript) -> list[ShownCue]:
    return read_webvtt(webvtt(transcript))


def texts(transcript: Transcript) -> list[str]:
    """The lines of each cue, with a stroke between them."""
    return [" | ".join(cue.lines) for cue in shown(transcript)]


def times(transcript: Transcript) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in shown(transcript)]


def letters(text: str) -> str:
    """What can be seen of a text, without spaces."""
    return "".join(
        letter
        for letter in text
        if not letter.isspace() and (unicodedata.category(letter) not in ("Cc", "Cf") or letter == "\u200d")
    )


def untimed(text: str, start: float, end: float, speaker: str | None = None) -> TranscriptSegment:
    made = segment_of(start=start, end=end, text=text, speaker=speaker)
    assert made is not None
    return made


@given(transcripts())
def test_cues_have_one_or_two_lines_of_at_most_42_characters(transcript: Transcript) -> None:
    for cue in read_subrip(subrip(transcript)):
        assert 1 <= len(cue.lines) <= 2
        assert all(line.strip() == line and 0 < len(line) <= 42 for line in cue.lines)


@given(transcripts())
def test_cues_come_in_order_never_overlap_and_stay_for_1_to_7_seconds_where_time_allows(transcript: Transcript) -> None:
    cues = cues_of(transcript)
    for cue, following in zip(cues, [*cues[1:], None], strict=False):
        room = 10**9 if following is None else following.start_ms - cue.start_ms
        duration = cue.end_ms - cue.start_ms
        reading = 50 * len(" ".join(cue.lines))
        assert 0 < duration <= room
        assert duration >= min(1000, room)
        assert duration >= min(7000, room, reading)
        assert duration <= 7000 or (len(cue.lines) == 1 and " " not in cue.lines[0])


@given(transcripts())
def test_every_word_is_shown_once_and_in_order(transcript: Transcript) -> None:
    seen = "".join(line for cue in shown(transcript) for line in cue.lines)
    assert letters(seen) == letters(transcript.text)


@pytest.mark.slow
@given(transcripts())
def test_both_forms_say_the_same_and_what_they_say_is_read_back(transcript: Transcript) -> None:
    cues, subripped, webvtted = cues_of(transcript), read_subrip(subrip(transcript)), read_webvtt(webvtt(transcript))
    for cue, in_subrip, in_webvtt in zip(cues, subripped, webvtted, strict=True):
        label = f"{cue.speaker}: " if cue.speaker and cue.begins_turn else ""
        first, *rest = cue.lines
        assert in_webvtt == ShownCue(cue.start_ms, cue.end_ms, cue.lines, cue.speaker)
        assert (in_subrip.start_ms, in_subrip.end_ms) == (cue.start_ms, cue.end_ms)
        assert in_subrip.lines == tuple(line.replace("-->", "→") for line in (label + first, *rest))


@given(transcripts(are_plain=True))
def test_a_cue_begins_when_its_first_word_is_said_and_no_word_is_said_after_its_cue(transcript: Transcript) -> None:
    words = [word for segment in transcript.segments for word in segment.words]
    ends = 0
    for cue in cues_of(transcript):
        begins, ends = ends, ends + len(" ".join(cue.lines).split())
        assert cue.start_ms == round(words[begins].start * 1000)
        assert cue.end_ms >= round(words[ends - 1].end * 1000)
        for word, later in pairwise(words[begins:ends]):
            assert later.start - word.end <= 1.5 + 0.001
    assert ends == len(words)


@given(transcripts())
def test_another_speaker_is_always_another_cue_and_is_named(transcript: Transcript) -> None:
    labels = labels_of(transcript)
    by_speaker: list[tuple[str | None, str]] = []
    for cue in shown(transcript):
        text = letters("".join(cue.lines))
        if by_speaker and by_speaker[-1][0] == cue.voice:
            text = by_speaker.pop()[1] + text
        by_speaker.append((cue.voice, text))
    expected: list[tuple[str | None, str]] = []
    for segment in transcript.segments:
        name, text = labels.get(segment.speaker), letters(segment.text)
        if expected and expected[-1][0] == name:
            text = expected.pop()[1] + text
        if text:
            expected.append((name, text))
    assert by_speaker == expected


def test_a_consultation_reads_as_people_would_have_written_it() -> None:
    sentences = [line.partition(": ")[2] for line in SAMPLE]
    assert texts(said(*sentences)) == [
        "Good morning. Please come in and sit down.",
        "What can I do for you today? | Good morning, doctor.",
        "I have had a headache for the last | three days. I am sorry to hear that.",
        "Where does it hurt? | Mostly on the right side of my head.",
        "It is worse in the morning. | Have you taken anything for the pain?",
        "I took some aspirin last night, | and that helped for a few hours.",
    ]


SAMPLE = spoken_text().splitlines()[:6]


@pytest.mark.parametrize(
    ("sentence", "language", "expected"),
    [
        (
            "He has been taking aspirin because of the headaches, but they have become worse since last week.",
            "en",
            [
                "He has been taking aspirin | because of the headaches,",
                "but they have become worse | since last week.",
            ],
        ),
        (
            "Als ich gestern nach Hause kam, hatte ich sehr starke Kopfschmerzen, die lange nicht aufhörten.",
            "de",
            ["Als ich gestern nach Hause kam,", "hatte ich sehr starke Kopfschmerzen, | die lange nicht aufhörten."],
        ),
        (
            "I would like you to go and see Dr. Miller tomorrow morning.",
            "en",
            ["I would like you to go | and see Dr. Miller tomorrow morning."],
        ),
        (
            "You should call at 8 a.m. tomorrow because they open early.",
            "en",
            ["You should call at 8 a.m. tomorrow | because they open early."],
        ),
        (
            "We waited for about an hour or so… maybe two, and then we went home.",
            "en",
            ["We waited for about an hour or so… | maybe two, and then we went home."],
        ),
        (
            "Dr. Miller said that this is nothing to be worried about.",
            "en",
            ["Dr. Miller said that this is nothing | to be worried about."],
        ),
    ],
)
def test_lines_and_cues_end_where_a_phrase_ends(sentence: str, language: str, expected: list[str]) -> None:
    assert texts(said(sentence, language=language)) == expected


def test_what_fits_on_one_line_stays_on_one_line() -> None:
    assert texts(said("It is exactly forty-two characters long ok")) == ["It is exactly forty-two characters long ok"]


def test_no_word_is_left_alone_in_a_cue() -> None:
    sentence = " ".join(["seven77"] * 9) + " seven7, alone"
    first, second = texts(said(sentence))
    assert len(second.replace("| ", "").split()) > 2
    assert f"{first} {second}".replace("| ", "") == sentence


def test_a_long_pause_ends_a_cue_in_the_middle_of_a_sentence() -> None:
    assert texts(said(("I think", 1.6), "so.")) == ["I think", "so."]
    assert texts(said(("I think", 1.4), "so.")) == ["I think so."]


def test_a_short_cue_stays_for_a_second_but_never_into_the_next() -> None:
    assert times(said(("Yes.", 5), "No.")) == [(0, 1000), (5300, 6300)]
    speakers = ("S1", "S2")
    assert times(said(("Yes.", 0.2), ("No.", 0), speakers=speakers)) == [(0, 500), (500, 1500)]


def test_what_is_said_fast_stays_until_it_can_be_read() -> None:
    fast = said(("This was said faster than anyone could read it.", 3), "So.", seconds_per_letter=0.01)
    assert times(fast)[0] == (0, 47 * 1000 // 20)


def test_words_without_times_have_their_segments_divided_by_their_characters() -> None:
    sentence = "This sentence has no times of its words, but it is far too long to be shown all at once to anyone."
    (first, second), lines = (
        times(transcript_of([untimed(sentence, 10, 20)])),
        texts(transcript_of([untimed(sentence, 10, 20)])),
    )
    begins_at = sentence.index(lines[1].split()[0], len(lines[0]) - 3)
    assert first[0] == 10_000
    assert second == (pytest.approx(10_000 + 10_000 * begins_at / len(sentence), abs=1), 20_000)


def test_a_word_longer_than_a_line_is_cut_and_nothing_is_lost() -> None:
    first, second = texts(transcript_of([untimed("x" * 100, 0, 9)]))
    assert [len(line) for line in (*first.split(" | "), *second.split(" | "))] == [34, 34, 32]


def test_chinese_is_broken_after_its_punctuation_and_its_characters_count_double() -> None:
    text = "今天天气很好，我们决定一起去公园散步。那里有很多人在放风筝，孩子们也在草地上跑来跑去，非常开心。"
    assert texts(transcript_of([untimed(text, 0, 15)], language="zh")) == [
        "今天天气很好，我们决定一起去公园散步。",
        "那里有很多人在放风筝，",
        "孩子们也在草地上跑来跑去，非常开心。",
    ]


def test_pieces_that_an_engine_gives_of_one_word_are_one_word() -> None:
    words = ("Do", "n", "'t", "worry", ".")
    timed = tuple(TranscriptWord(start=at, end=at + 1, text=word) for at, word in enumerate(words))
    made = segment_of(start=0, end=5, text="Don't worry.", words=timed)
    assert made is not None
    assert texts(transcript_of([made])) == ["Don't worry."]


def test_a_control_character_that_stands_for_a_word_leaves_the_words_beside_it_apart() -> None:
    timed = tuple(TranscriptWord(start=at, end=at + 1, text=word) for at, word in enumerate("a\x07b"))
    made = segment_of(start=0, end=3, text="a \x07b", words=timed)
    assert made is not None
    assert texts(transcript_of([made])) == ["a b"]


def test_a_japanese_line_begins_with_no_small_letter_and_no_mark_of_length() -> None:
    text = "きょうはにゅーよーくでちょっとりょこうをしてきゅうりょうもらってしゅっちょうちゅうです"
    lines = [line for cue in shown(transcript_of([untimed(text, 0, 9)], language="ja")) for line in cue.lines]
    assert len(lines) >= 3
    assert not [line for line in lines if line[0] in "ーゅょっ"]


def test_a_long_word_leaves_room_for_the_name_of_its_speaker() -> None:
    talk = transcript_of([untimed("x" * 42, 0, 3, "S1"), untimed("y", 3, 4, "S2")])
    assert [cue.lines for cue in read_subrip(subrip(talk))] == [("S1: " + "x" * 21, "x" * 21), ("S2: y",)]


def test_speakers_are_named_where_they_change() -> None:
    talk = said("How are you?", "Well.", "And you?", speakers=("S1", "S2", "S2"))
    assert [(cue.voice, cue.lines) for cue in shown(talk)] == [("S1", ("How are you?",)), ("S2", ("Well. And you?",))]
    assert [cue.lines for cue in read_subrip(subrip(talk))] == [("S1: How are you?",), ("S2: Well. And you?",)]


def test_one_speaker_alone_is_not_named() -> None:
    alone = said("How are you?", "Well.", speakers=("S1", "S1"))
    assert [(cue.voice, cue.lines) for cue in shown(alone)] == [(None, ("How are you? Well.",))]
    assert "S1" not in subrip(alone)


def test_what_would_end_a_cue_or_be_taken_for_markup_is_shown_as_text() -> None:
    strange = transcript_of([untimed("a --> b\n\n\x00<i>1\x07 & 2</i>\u2028\u2028&amp;", 0, 3)])
    assert webvtt(strange) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\na --&gt; b &lt;i&gt;1 &amp; 2&lt;/i&gt; &amp;amp;\n"
    )
    assert subrip(strange) == "1\n00:00:00,000 --> 00:00:03,000\na → b <i>1 & 2</i> &amp;\n"


def test_hours_may_have_three_digits() -> None:
    late = said("Still here.", from_seconds=360_000.5)
    assert subrip(late).splitlines()[1] == "100:00:00,500 --> 100:00:01,500"
    assert webvtt(late).splitlines()[2] == "100:00:00.500 --> 100:00:01.500"


def test_nothing_said_is_an_empty_subrip_file_and_the_header_of_webvtt() -> None:
    assert subrip(NOTHING) == ""
    assert webvtt(NOTHING) == "WEBVTT\n"


@pytest.mark.parametrize(("write", "form"), [(subrip, "srt"), (webvtt, "webvtt")])
def test_ffmpeg_reads_the_same_cues_at_the_same_times(write, form: str) -> None:
    transcript = said(*[line.partition(": ")[2] for line in spoken_text().splitlines()], from_seconds=3_599)
    cues = cues_of(transcript)
    assert len(cues) > 10
    assert read_by_ffmpeg(write(transcript).encode(), form) == [
        ShownCue(cue.start_ms, cue.end_ms, cue.lines) for cue in cues
    ]

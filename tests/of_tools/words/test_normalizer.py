import pytest

from tests.tools.bench.words.normalizer import normalized


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("33-4-692", "thirty three four six ninety two"),
        ("33, 4 or 692.", "thirty three four or six ninety two"),
        ("10 of clubs", "Ten of clubs"),
        ("160 over 90", "one hundred and sixty over ninety"),
        ("160/90", "a hundred and sixty over ninety"),
        ("in 1961", "in nineteen sixty one"),
        ("in 2005", "in two thousand and five"),
        ("in 2024", "in twenty twenty-four"),
        ("1,250,000 people", "one million two hundred fifty thousand people"),
        ("1900", "nineteen hundred"),
        ("the 1960s", "the nineteen sixties"),
        ("the 21st", "the twenty first"),
        ("the 3rd, the 5th, the 12th and the 20th", "the third the fifth the twelfth and the twentieth"),
        ("the 7th, the 8th, the 9th and the 11th", "the seventh the eighth the ninth and the eleventh"),
        ("the 100th", "the hundredth"),
        ("$5", "five dollars"),
        ("$5.50", "five dollars and fifty cents"),
        ("$5 million", "five million dollars"),
        ("12%", "twelve per cent"),
        ("98.6", "ninety eight point six"),
        ("at 10:30 a.m.", "at ten thirty am"),
        ("at 10:05", "at ten oh five"),
        ("at 10:00", "at ten o'clock"),
        ("50mg", "fifty milligrams"),
        ("vitamin B12", "vitamin b twelve"),
        ("100 and 200", "one hundred and two hundred"),
        ("1000", "a thousand"),
        ("Okay, OK, O.K.", "ok okay ok"),
        ("Mr. Jamieson and Dr. Innes", "mister Jamieson and doctor Innes"),
        ("I'm gonna, I can\N{RIGHT SINGLE QUOTATION MARK}t", "I am going to I cannot"),
        ("they don't, we've, let's", "they do not we have let us"),
        ("It's here", "it is here"),
        ("the doctor's colour", "the doctors color"),
        ("organised, travelled 5 metres", "organized traveled five meters"),
        ("an anaemic, orthopaedic patient", "an anemic orthopedic patient"),
        ("Um, I uh know, hmm", "I know"),
        ("[MUSIC] good morning (laughs)", "good morning"),
        ("Doctor: Good morning.\nPatient: Hello.", "good morning hello"),
        ("Café", "cafe"),
    ],
)
def test_two_ways_to_write_the_same_words_are_equal(one: str, other: str):
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fifteen", "fifty"),
        ("first", "one"),
        ("sixty", "sixties"),
        ("can", "can't"),
        ("its", "it is"),
        ("a way", "the way"),
    ],
)
def test_words_that_differ_stay_different(one: str, other: str):
    assert normalized(one) != normalized(other)


def test_each_digit_of_a_number_is_a_word():
    assert normalized("thirty three, 4 or 692") == ["3", "3", "4", "or", "6", "9", "2"]
    assert normalized("the twenty first") == ["the", "2", "1th"]


def test_a_time_at_the_start_of_a_line_is_no_speaker():
    assert normalized("At 10:30 we left") == ["at", "1", "0", "3", "0", "we", "left"]


def test_an_o_is_a_zero_only_among_digits():
    assert normalized("oh one oh two oh") == ["oh", "1", "0", "2", "oh"]


def test_an_and_between_words_stays():
    assert normalized("two and three thousand and some") == ["2", "and", "3", "0", "0", "0", "and", "some"]

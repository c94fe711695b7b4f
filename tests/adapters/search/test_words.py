import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.search.words import asked_words, indexed_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The patient's blood-pressure: 120/80!", ["the", "patient", "s", "blood", "pressure", "120", "80"]),
        ("Ménière, naïve, STRASSE, straße", ["meniere", "naive", "strasse", "strasse"]),
        ("allergies allergy, headaches headache", ["allergy", "allergy", "headache", "headache"]),
        ("virus mass gas diabetes", ["virus", "mass", "gas", "diabete"]),
        ("snake_case ﬁne ½", ["snake", "case", "fine", "1", "2"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("糖尿病 no", ["糖", "尿", "病", "糖尿", "尿病", "no"]),
        ("— … ?", []),
    ],
)
def test_a_texts_words_are_without_case_accents_punctuation_and_plurals(text, words):
    assert indexed_words(text) == words


def test_a_query_asks_for_each_word_once_and_for_neighbours_where_there_are_no_spaces():
    assert asked_words("Pain, pains or PAIN") == ["pain", "or"]
    assert asked_words("糖尿病") == ["糖尿", "尿病"]
    assert asked_words("糖") == ["糖"]


@given(st.text())
def test_whatever_a_text_is_all_its_words_find_it(text):
    assert set(asked_words(text)) <= set(indexed_words(text))
    assert all(word and not word.isspace() for word in indexed_words(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_case_makes_no_difference(text):
    """Except for letters that become others when they are made upper and lower case again."""
    changed = text.upper().casefold()
    if changed == text.casefold():
        assert indexed_words(text.upper()) == indexed_words(text)

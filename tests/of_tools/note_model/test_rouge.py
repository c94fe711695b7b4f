"""ROUGE by hand: these are small enough to be counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.note_model.rouge import rouge_l, rouge_n, tokens

TEXTS = st.lists(st.sampled_from("abcd"), max_size=30).map(" ".join)


def test_tokens_are_letters_and_digits_in_small_letters():
    assert tokens("Don't take 5.5-mg  TABLETS!") == ["don", "t", "take", "5", "5", "mg", "tablets"]


def test_words_that_both_have_count_as_often_as_both_have_them():
    score = rouge_n("the cat the cat sat", "the cat was on the mat", 1)
    assert (score.precision, score.recall) == (pytest.approx(3 / 5), pytest.approx(3 / 6))
    assert score.f == pytest.approx(2 * 0.6 * 0.5 / 1.1)


def test_pairs_of_words_stand_next_to_each_other():
    score = rouge_n("the cat sat", "the cat was on the mat", 2)
    assert (score.precision, score.recall) == (pytest.approx(1 / 2), pytest.approx(1 / 5))


def test_the_longest_common_subsequence_may_have_gaps_but_keeps_the_order():
    score = rouge_l("police kill the gunman", "police killed the gunman")
    assert score.f == pytest.approx(3 / 4)
    assert rouge_l("the gunman kill police", "police killed the gunman").f == pytest.approx(2 / 4)


def test_nothing_has_nothing_in_common():
    assert (rouge_n("", "a b", 1).f, rouge_n("a", "", 2).f, rouge_l("", "").f) == (0, 0, 0)


@given(TEXTS, TEXTS)
def test_the_longest_common_subsequence_is_that_of_the_usual_table(one, other):
    ours, theirs = one.split(), other.split()
    table = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for row, mine in enumerate(ours):
        for column, its in enumerate(theirs):
            table[row + 1][column + 1] = (
                table[row][column] + 1 if mine == its else max(table[row][column + 1], table[row + 1][column])
            )
    assert rouge_l(one, other).precision == pytest.approx(table[-1][-1] / len(ours) if ours else 0)

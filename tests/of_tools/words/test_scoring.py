from tests.tools.bench.words.scoring import Score, joined_alike, lost_words, score


def test_the_same_words_in_another_dress_are_no_errors():
    assert score("Mr. Smith paid $5 in the box car", "mister smith paid five dollars in the boxcar").errors == 0


def test_insertions_deletions_and_substitutions_are_counted():
    assert score("one two three", "one too three four") == Score(said=3, errors=2)
    assert score("go forward ten meters", "go ten meters") == Score(said=5, errors=1)


def test_words_heard_where_none_were_said_are_errors():
    assert score("", "thank you") == Score(said=0, errors=2)


def test_scores_add_up():
    assert (Score(10, 1) + Score(30, 3)).rate == 0.1


def test_a_word_is_joined_in_every_text_or_in_none():
    assert joined_alike(["a", "way", "away"], ["a", "way", "off"]) == [["away", "away"], ["away", "off"]]
    assert joined_alike(["a", "way"], ["a", "way"]) == [["a", "way"], ["a", "way"]]


def test_a_lost_word_is_one_that_only_the_other_has():
    said = "how are your nerves tonight"
    assert lost_words(said, "how are nerves", "how are your nerves tonight") == 2
    assert lost_words(said, "how are nerves", "how are nerves") == 0
    assert lost_words(said, "how are your nervous tonight", said) == 0

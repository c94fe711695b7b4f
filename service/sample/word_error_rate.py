"""Word error rate: how far what was heard is from what was said."""

import re

_SPEAKER = re.compile(r"^\s*[A-Z][\w ]{0,30}:", re.MULTILINE)
# Letters and digits of any script, with an apostrophe inside a word (don't, o'clock).
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Return insertions, deletions and substitutions as a share of the reference's words.

    Case, punctuation and speaker labels (`Doctor:` at the start of a line) do not count. 0.0 is perfect; it can
    exceed 1.0 when much was invented. With an empty reference it is the number of words heard.
    """
    said, heard = _words(reference), _words(hypothesis)
    return _edits(said, heard) / max(len(said), 1)


def _words(text: str) -> list[str]:
    return _WORD.findall(_SPEAKER.sub(" ", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def _edits(said: list[str], heard: list[str]) -> int:
    """Levenshtein distance over words, one row of the table at a time."""
    row = list(range(len(heard) + 1))
    for deleted, word in enumerate(said, start=1):
        above, row = row, [deleted]
        for column, other in enumerate(heard, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]

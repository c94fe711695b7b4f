"""Words as they are compared with others: without case, punctuation, signs and spaces, and never as other words.

"X-Ray," is "x ray", and "don't" is "dont"; "1.5" is neither "15" nor "1 5". In scripts without spaces, each character
is a word.
"""

import re
import unicodedata
from functools import lru_cache

_APOSTROPHES = "'’ʼ＇"  # noqa: RUF001 - as keyboards and speech engines write them


class _Kinds(dict[int, str]):
    """The kind of each character: l(etter), d(igit), u(nspaced), m(ark), "'", "." or a space."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


def compared_words(text: str) -> list[str]:
    """All words of a text, in order."""
    plain = unicodedata.normalize("NFKC", text)
    return [_compared(plain[found.start() : found.end()]) for found in _WORD.finditer(plain.translate(_KINDS))]


_KINDS = _Kinds()
_WORD = re.compile(r"d+(?:\.d+)*|um*|[lm](?:[lm']*[lm])?")


def _kind(character: str) -> str:
    if character in _APOSTROPHES:
        return "'"
    if character in ".,":
        return "."
    category = unicodedata.category(character)
    if category == "Nd":
        return "d"
    if category.startswith("M"):
        return "m"
    if category.startswith(("L", "N")):
        return "u" if category == "Lo" and _is_unspaced(ord(character)) else "l"
    return " "


_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
_UNSPACED_PLANES = (0x20000, 0x3FFFF)


def _is_unspaced(code: int) -> bool:
    return any(first <= code <= last for first, last in (*_UNSPACED, _UNSPACED_PLANES))


@lru_cache(maxsize=20_000)
def _compared(word: str) -> str:
    if word[0].isdecimal():
        return "".join(each if each in ".," else str(unicodedata.decimal(each)) for each in word)
    return "".join(each for each in word if each not in _APOSTROPHES).casefold()

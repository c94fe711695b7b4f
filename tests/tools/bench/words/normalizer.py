"""Brings what was said and what was heard into one form, so that only words that differ count as errors.

Case, punctuation, fillers and speaker labels are removed; contractions are written out, spelling is American. Numbers
become single digits: see `spoken_numbers`. Words joined or split, as in "boxcar", are left to `scoring`.
"""

import re
import unicodedata
from collections.abc import Sequence

from tests.tools.bench.words.spoken_numbers import in_digits


def normalized(text: str) -> list[str]:
    """The words without case, punctuation, fillers, annotations in brackets and speaker labels."""
    text = _SPEAKER.sub(" ", text)
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char))
    for pattern, replacement in _WRITTEN:
        text = pattern.sub(replacement, text)
    words = [part for word in _WORD.findall(text) for part in _spoken(word)]
    return list(in_digits(words))


# A label ends in a colon and a space: "At 10:30" does not begin with one.
_SPEAKER = re.compile(r"^\s*[A-Z][\w ]{0,30}:(?=\s)", re.MULTILINE)
_WORD = re.compile(r"\d+(?:th|s)\b|\d+|[^\W\d_]+(?:'[^\W\d_]+)*")

_UNITS = {
    "mg": "milligrams",
    "mcg": "micrograms",
    "kg": "kilograms",
    "ml": "milliliters",
    "mm": "millimeters",
    "cm": "centimeters",
    "km": "kilometers",
    "lbs": "pounds",
    "hz": "hertz",
    "khz": "kilohertz",
}

_WRITTEN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[\u2018\u2019\u02bc`]", "'"),
        (r"\[[^\]]*\]|<[^>]*>|\([^)\d]*\)", " "),
        (r"\b(?:[a-z]\.){2,}", lambda found: found[0].replace(".", "") + " "),
        (r"(?<=\d),(?=\d{3}\b)", ""),
        (r"\$(\d+)\.(\d\d)\b", r"\1 dollars and \2 cents"),
        (r"\$(\d[\d.]*(?<=\d))( (?:hundred|thousand|million|billion))?\b", r"\1\2 dollars"),
        (r"\u00a3(\d[\d.]*(?<=\d))( (?:hundred|thousand|million|billion))?\b", r"\1\2 pounds"),
        (r"\u20ac(\d[\d.]*(?<=\d))( (?:hundred|thousand|million|billion))?\b", r"\1\2 euros"),
        (r"%", " percent "),
        (r"\bper cent\b", "percent"),
        (r"&", " and "),
        (r"\u00b0\s*c\b", " degrees celsius "),
        (r"\u00b0\s*f\b", " degrees fahrenheit "),
        (r"\u00b0", " degrees "),
        (r"(?<=\d):00\b", " "),
        (r"\bo'clock\b", " "),
        (r"(?<=\d)/(?=\d+/)|(?<=/)(\d+)/(?=\d)", r"\1 "),
        (r"(?<=\d)\s?/\s?(?=\d)", " over "),
        (r"(?<=\d)[\u2013\u2014](?=\d)", " to "),
        (r"(?<=\d)\.(?=\d)|(?<![\w.])\.(?=\d)", " point "),
        (r"\b(\d+)(?:st|nd|rd|th)\b", r"\1th"),
        (r"\b(\d+)'s\b", r"\1s"),
        (rf"(?<=\d)\s?({'|'.join(_UNITS)})\b", lambda found: f" {_UNITS[found[1]]}"),
        (r"\b(?:mm+-?hmm*|mhmm*|uh-?huh)\b", " "),
    )
]


def _spoken(word: str) -> Sequence[str]:
    """The words that a written word stands for: none for a filler, two for a contraction."""
    if word in _FILLERS:
        return ()
    if word in _SAME:
        return _SAME[word].split()
    for ending, full in _ENDINGS.items():
        if word.endswith(ending) and word != ending:
            return (*_spoken(word.removesuffix(ending)), full)
    if word.endswith("'s") and word.removesuffix("'s") in _THEN_IS:
        return (word.removesuffix("'s"), "is")
    word = word.replace("'", "")
    for pattern, american in _AMERICAN:
        word = pattern.sub(american, word)
    return (word,)


_FILLERS = frozenset({"um", "umm", "uh", "uhh", "uhm", "er", "erm", "hm", "hmm", "hmmm", "mm", "mmm"})

_SAME = {
    "okay": "ok",
    "alright": "all right",
    "mister": "mr",
    "missus": "mrs",
    "doctor": "dr",
    "versus": "vs",
    "cannot": "can not",
    "can't": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "gimme": "give me",
    "lemme": "let me",
    "dunno": "do not know",
    "kinda": "kind of",
    "sorta": "sort of",
    "cuz": "because",
    "etc": "et cetera",
}
# "He'd" can also be "he had"; if that was said and written out, it counts as an error.
_ENDINGS = {"n't": "not", "'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would"}
_THEN_IS = frozenset(
    {"it", "that", "this", "he", "she", "there", "here", "what", "who", "where", "when", "how", "why"}
    | {"everything", "something"}
)

_IN_ISE = (
    "apolog|author|categor|character|critic|emphas|final|general|hospital|immun|maxim|memor|minim|normal|organ|prior|"
    "real|recogn|special|stabil|summar|steril|util|visual"
)
_AMERICAN = [
    (re.compile(british), american)
    for british, american in (
        (r"^(arm|behavi|col|endeav|fav|flav|harb|hon|hum|lab|neighb|od|rum|tum|vap|vig)our", r"\1or"),
        (r"^(calib|cent|fib|theat|spect|(?:centi|kilo|milli)?met|(?:centi|milli)?lit)re(s?)$", r"\1er\2"),
        (
            rf"^({_IN_ISE})is(e|es|ed|er|ers|ing|ation|ations)$",
            r"\1iz\2",
        ),
        (r"^(cancel|counsel|fuel|label|level|marvel|model|signal|travel)l(ed|ing|er|ers|or|ors)$", r"\1\2"),
        (r"^(def|lic|off|pret)ence", r"\1ense"),
        (r"^(anal|catal|dial)ogue", r"\1og"),
        (r"aem(?=i|o|a)", "em"),
        (r"paed(?=i)", "ped"),
        (r"^oe(?=sophag|dem|str)", "e"),
        (r"^foet", "fet"),
        (r"anaesth", "anesth"),
        (r"gynaec", "gynec"),
        (r"rrhoea", "rrhea"),
        (r"^grey", "gray"),
        (r"^practis", "practic"),
        (r"^programme(s?)$", r"program\1"),
        (r"^pyjama", "pajama"),
        (r"^sceptic", "skeptic"),
        (r"^(ag|judg)e(?=ing$|ment)", r"\1"),
        (r"^manoeuvre", "maneuver"),
        (r"^mould", "mold"),
        (r"^plough", "plow"),
        (r"^tyre", "tire"),
        (r"^cheque", "check"),
    )
]

"""Words of spoken English by what they do in a conversation. All are in small letters."""

import re
from collections.abc import Sequence

_FILLERS_BEFORE = (
    "um uh uhm hm hmm mhm mm-hmm mm mmm ah oh huh uh-huh eh er okay ok alright well so and but now then like yeah "
    "yep gotcha right great good perfect awesome excellent wow hey sure anyway because"
)
FILLERS_BEFORE = frozenset(_FILLERS_BEFORE.split())
"""What people say before a statement."""

JUDGING_FILLERS = frozenset(["right", "great", "good", "perfect", "awesome", "excellent"])
"""Fillers only where they stand apart: "Right, I see", but not "right knee" and "on the right"."""

_FILLERS_AFTER = "um uh uhm hm hmm mhm mm-hmm mm ah oh huh uh-huh okay ok alright and but right yeah"
FILLERS_AFTER = frozenset(_FILLERS_AFTER.split())
"""And behind it."""

_TAGS = "okay ok alright right yeah huh"
TAGS = frozenset(_TAGS.split())
""""I want you to rest, okay?" asks nothing."""

_NEVER_LAST = (
    "a an the of to for with from my your his our their i we they it's there's i'm i've because than or very if "
    "when which who into been that's also any"
)
NEVER_LAST = frozenset(_NEVER_LAST.split())
"""No sentence ends with these, unless a full stop is behind them."""

_INTRODUCTIONS = "on for in at with of from by during since after before looking regarding as lastly"
INTRODUCTIONS = frozenset(_INTRODUCTIONS.split())
""""On your lung exam, ..." goes on."""

_ANSWERS = (
    "yes yeah yep yup no nope nah not none never correct sure absolutely definitely sometimes occasionally rarely "
    "nothing mm-hmm uh-huh right maybe probably exactly i do don't does once twice"
)
ANSWERS = frozenset(_ANSWERS.split())
"""Words that a short answer begins with."""

DENIALS = frozenset(["no", "nope", "nah", "never", "not"])
"""An answer that begins with one of these denies what was said before it."""

_SUBJECTS = "i i'm i've i'll i'd we we'll we've you your he he's she she's it it's they my his her the there there's"
SUBJECTS = frozenset(_SUBJECTS.split())
"""Words that a whole sentence begins with."""

NEVER_LAST_PAIRS = frozenset(
    [("is", "no"), ("are", "no"), ("was", "no"), ("i", "feel"), ("and", "again"), ("have", "no")]
)

PHRASES_AROUND = tuple(
    tuple(phrase.split())
    for phrase in ("you know", "all right", "i mean", "i guess", "let's see", "of course", "kind of", "i see")
)

QUESTION = re.compile(
    r"(?:(?:what's|where's|how's|who's|why|any)|"
    r"(?:what|who|where|when) (?:\w+ )?"
    r"(?:do|does|did|is|are|was|were|have|has|can|should|would|brings|else|kind|other)|"
    r"how (?:long|often|much|many|bad|far|old|severe|do|does|did|is|are|was|were|have|has|can|would)|"
    r"(?:do|does|did|are|is|was|were|have|has|can|could|will|would|should|don't|didn't|haven't|aren't|isn't) "
    r"(?:you|he|she|it|they|i|we|there|that|this|any|anyone|anybody|your|his|her|the|n't)|"
    r"(?:how|what) about|you (?:haven't|have not|don't) )\b"
)

LONGEST_COURTESY = 6
"""Words. Longer ones often say something: "let me increase your lisinopril", "I'm sorry I forgot my insulin"."""

_ALWAYS_COURTESY = re.compile(
    r"(?:good (?:morning|afternoon|evening)|hello|hi|thank you|thanks|goodbye|bye|please (?:sit down|come in)|"
    r"(?:it is|it's) (?:good|nice|great) to (?:see|meet)|nice to|show me|hey|dragon|finalize|to see you|"
    r"we will \w+ that$|sounds good|no problem|how are you|end of|assessment and plan|"
    r"(?:let's|let us) (?:talk|go over|go through|start|look at|(?:take|have) a (?:quick )?(?:listen|look))|"
    r"tell me|(?:take|have) a (?:listen|look))\b"
)
_COURTESY_IF_SHORT = re.compile(
    r"(?:let me|have a|i am sorry|i'm sorry|good to|take care|see you|i will try|(?:it's|it has) been a while|"
    r"i will do that|that is good|that's (?:good|great|right|fine|it|all))\b"
)


def is_courtesy(said: Sequence[str]) -> bool:
    """Whether words in small letters say nothing about anybody's health. What has a number says something."""
    text = " ".join(said) + " "
    if _ALWAYS_COURTESY.match(text):
        return not any(letter.isdigit() for letter in text)
    return len(said) <= LONGEST_COURTESY and _COURTESY_IF_SHORT.match(text) is not None

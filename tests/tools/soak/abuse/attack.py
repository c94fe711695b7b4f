"""What an attack is: something hostile that is done again and again, and what it must be answered."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.tools.soak.abuse.attacker import Attacker

SUCCESS = ("20[0-9]$",)
TO_WAIT = ("429 ", "503 ")
"""Refusals that say when to come again: any attack may meet them."""

CUT_OFF = "cut off when the time was over"
"""By the attacker itself."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`again`: one go. `refusals`: its own, each of which must come; `others`: what else it may be answered; both as
    patterns of answers' names. `at_once`: how many clients do it. `pause_seconds`: between two goes of one."""

    name: str
    again: Callable[[Attacker], Awaitable[None]]
    refusals: tuple[str, ...]
    others: tuple[str, ...] = SUCCESS
    at_once: int = 1
    pause_seconds: float = 0.2

    def unexpected(self, answers: Counter[str]) -> list[str]:
        known = (*self.refusals, *self.others, *TO_WAIT, CUT_OFF)
        return [answer for answer in answers if not any(re.match(each, answer) for each in known)]

    def missing(self, answers: Counter[str]) -> list[str]:
        return [each for each in self.refusals if not any(re.match(each, answer) for answer in answers)]

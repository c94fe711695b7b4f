"""Languages as clients name them, in every dialect: BCP 47 tags, in any case."""

from typing import Annotated

from pydantic import AfterValidator, Field

from domain.languages import LONGEST_TAG, is_language_tag


def _checked(tag: str) -> str:
    if not is_language_tag(tag):
        raise ValueError("Input should be a language tag of BCP 47, such as en, es-419 or zh-Hant")
    return tag


LanguageTag = Annotated[
    str, Field(min_length=1, max_length=LONGEST_TAG, examples=["en", "es-419", "zh-Hant"]), AfterValidator(_checked)
]

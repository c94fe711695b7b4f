import pytest

from domain.languages import is_language_tag, primary_language

WELL_FORMED = [
    "en", "EN", "eng", "en-US", "en-us", "es-419", "zh-Hant", "zh-Hant-TW", "zh-cmn-Hans-CN", "sr-Latn-RS",
    "de-CH-1901", "de-DE-u-co-phonebk", "en-US-x-twain", "x-clinic", "i-klingon", "i-lux", "art-lojban", "sgn-BE-FR",
    "en-a-myext-b-another", "ast", "qaa-Qaaa-QM-x-southern", "hy-Latn-IT-arevela", "az-Arab-x-AZE-derbend",
    "sl-rozaj-biske", "yue",
]  # fmt: skip
ILL_FORMED = [
    "", "e", "english-language-of-the-north", "en_US", "en-", "-en", "en--US", "a-DE", "de-419-DE",
    "en-x", "en-a", "de-1901-1901", "1a", "en US", "日本", "en-\N{LATIN SMALL LETTER LONG S}ss", "x", "en\n",
    "ar-a-aaa-b-bbb-a-ccc", "a" * 9, "en-" + "-".join(["abcdefgh"] * 8),
]  # fmt: skip


@pytest.mark.parametrize("tag", WELL_FORMED)
def test_every_form_of_tag_that_rfc_5646_names_is_understood(tag):
    assert is_language_tag(tag)
    assert is_language_tag(tag.upper())


@pytest.mark.parametrize("tag", ILL_FORMED)
def test_what_has_not_the_form_of_a_tag_is_none(tag):
    assert not is_language_tag(tag)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("en_US", "en"),
        ("eng", "en"),
        ("es-419", "es"),
        ("zh-Hant", "zh"),
        ("cmn-Hans", "zh"),
        ("deu", "de"),
        ("ger", "de"),
        ("iw", "he"),
        ("nb-NO", "no"),
        ("en-GB-oed", "en"),
        ("i-lux", "lb"),
        ("i-klingon", "klingon"),
        ("haw", "haw"),
        ("x-clinic", "x"),
    ],
)
def test_a_tag_names_its_language_by_the_shortest_name(tag, language):
    assert primary_language(tag) == language

"""JSON as any client may write it: hypothesis strategies for texts with numbers of all kinds in them."""

from hypothesis import strategies as st

DIGITS = st.text("0123456789", min_size=1, max_size=30)
WHOLE = st.builds(
    lambda sign, digits: sign + (digits.lstrip("0") or "0"), st.sampled_from(["", "-"]), DIGITS
) | st.integers(2**53 - 3, 2**66).map(str)
FRACTIONS = st.just("") | DIGITS.map(lambda digits: f".{digits}")
EXPONENTS = st.just("") | st.builds(
    lambda letter, exponent: f"{letter}{exponent}", st.sampled_from(["e", "E", "e+", "e-"]), st.integers(0, 330)
)
NUMBERS = st.builds(lambda *parts: "".join(parts), WHOLE, FRACTIONS, EXPONENTS)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32), max_size=20).map(
    lambda word: f'"{word}"'
)
JSON_TEXTS = st.recursive(
    NUMBERS | WORDS | st.sampled_from(["true", "false", "null"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(WORDS, inner), max_size=4, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"
        ),
    ),
    max_leaves=8,
)

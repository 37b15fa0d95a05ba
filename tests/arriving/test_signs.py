"""Several signs make one score, and each is explained."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.arriving.patterns import PATTERNS
from proctor.arriving.signs import EXPLANATIONS, PREFIX, TOLD, Sign, combined, explain

SIGNS = st.lists(
    st.builds(Sign, st.sampled_from(sorted(EXPLANATIONS)), st.floats(0, 1), st.booleans())
)


def test_signs_count_as_independent() -> None:
    assert combined([Sign("override", 0.5), Sign("role", 0.5)]) == 0.75
    assert combined([Sign("override", 0.5), Sign("override", 0.4)]) == 0.5
    assert combined([]) == 0.0


def test_what_is_quoted_never_reaches_what_is_meant() -> None:
    told = [Sign(name, 0.7, told=True) for name in EXPLANATIONS]
    assert combined(told) == TOLD
    assert combined([*told, Sign("role", 0.9)]) == 0.9


@given(SIGNS)
def test_a_score_is_between_none_and_all(signs: list[Sign]) -> None:
    score = combined(signs)
    assert 0 <= score <= 1
    assert score >= round(max((s.score for s in signs if not s.told), default=0), 3)


def test_every_sign_is_explained() -> None:
    assert {pattern.sign for pattern in PATTERNS} <= EXPLANATIONS.keys()
    assert explain(f"{PREFIX}hidden") == EXPLANATIONS["hidden"]
    assert not explain("betterleaks:github-pat")
    assert not explain(f"{PREFIX}unheard-of")

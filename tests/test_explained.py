"""Findings in words."""

from proctor.explained import explained


def test_a_sign_is_explained_and_a_key_explains_itself() -> None:
    assert "page would not show" in explained("proctor:injection/hidden")
    assert not explained("betterleaks:github-pat")

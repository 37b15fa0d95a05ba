"""Groups, and the human behind a bot."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError
from proctor.identity.groups import groups, human, lookup


@pytest.mark.parametrize(
    ("claims", "path", "expected"),
    [
        ({"groups": ["b", "a", "a"]}, "groups", ("a", "b")),
        ({"groups": []}, "groups", ()),
        ({"groups": "one"}, "groups", ("one",)),
        ({}, "groups", ()),
        ({"groups": None}, "groups", ()),
        ({"groups": ["a"]}, None, ()),
        ({"realm_access": {"roles": ["dba"]}}, "realm_access.roles", ("dba",)),
        ({"realm_access": "x"}, "realm_access.roles", ()),
        ({"https://corp.example/groups": ["x"]}, "https://corp.example/groups", ("x",)),
        ({"a.b": ["whole"], "a": {"b": ["steps"]}}, "a.b", ("whole",)),
        ({"groups": ["/team/dba", "/team"]}, "groups", ("/team", "/team/dba")),
        ({"groups": ["a"], "_claim_names": {"other": "src1"}}, "groups", ("a",)),
        ({"groups": ["a"], "hasgroups": True}, "groups", ("a",)),
        ({"_claim_names": {"groups": "src1"}}, None, ()),
    ],
)
def test_groups_are_found(
    claims: dict[str, Any], path: str | None, expected: tuple[str, ...]
) -> None:
    assert groups(claims, path) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x"}}},
        {"_claim_names": {"groups": "src1"}, "groups": ["a"]},
        {"_claim_names": "groups"},
        {"hasgroups": True},
    ],
)
def test_groups_that_were_left_out_are_unknown_and_not_none(claims: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError) as caught:
        groups(claims, "groups")
    assert caught.value.code == "token-groups-overage"
    assert "Entra" in caught.value.hint


def test_overage_concerns_the_first_step_of_a_path() -> None:
    with pytest.raises(AuthenticationError):
        groups({"_claim_names": {"realm_access": "src1"}}, "realm_access.roles")


@pytest.mark.parametrize(
    "value", [7, {"a": 1}, ["a", 7], ["a", ""], ["a\nb"], ["\ud800"], ["x" * 600], ["a"] * 2001, ""]
)
def test_groups_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(AuthenticationError) as caught:
        groups({"groups": value}, "groups")
    assert caught.value.code == "token-groups"


def test_the_human_behind_a_bot() -> None:
    assert human({"act": {"sub": "alice"}}, "act.sub") == "alice"
    assert human({}, "act.sub") is None
    assert human({"act": {"sub": "alice"}}, None) is None
    for value in (7, "", ["alice"], "a\0"):
        with pytest.raises(AuthenticationError) as caught:
            human({"act": {"sub": value}}, "act.sub")
        assert caught.value.code == "token-human"


claim_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab"), inner),
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "_claim_names"]), claim_values),
    st.text("ab."),
)
def test_any_claims_and_path_give_names_or_a_refusal(claims: dict[str, Any], path: str) -> None:
    lookup(claims, path)
    try:
        found = groups(claims, path)
    except AuthenticationError:
        return
    assert found == tuple(sorted(set(found)))

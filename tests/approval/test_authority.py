"""Who may do what."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval import authority
from proctor.approval.model import ApprovalError, KillScope, Origin, Reviewer, Role, identities
from proctor.model import ApprovalTerms
from tests.approval.samples import ISSUER, grant, pending, reviewer, vote

DBA = ApprovalTerms(rule_id="shell", from_groups=("dba",))
SEC = ApprovalTerms(rule_id="net", from_groups=("sec",))
TWO = replace(DBA, count=2)


def code(error: ApprovalError | None) -> str:
    return error.code if error else ""


@pytest.mark.parametrize(
    ("demands", "votes", "expected"),
    [
        ((DBA,), (), False),
        ((), (vote("bob"),), False),
        ((DBA,), (vote("bob"),), True),
        ((DBA,), (vote("bob", groups=("sec",)),), False),
        ((replace(DBA, from_groups=()),), (vote("bob"),), False),
        ((replace(DBA, count=0),), (), False),
        ((TWO,), (vote("bob"),), False),
        ((TWO,), (vote("bob"), vote("carol")), True),
        ((TWO,), (vote("bob"), vote("bob2", "BOB")), False),
        ((TWO,), (vote("b1", "bob"), vote("b2", "bob")), False),
        ((TWO,), (vote("bob"), vote("carol", groups=("sec",))), False),
        ((DBA, SEC), (vote("bob"),), False),
        ((DBA, SEC), (vote("bob", groups=("dba", "sec")),), True),
        ((DBA, SEC), (vote("bob"), vote("carol", groups=("sec",))), True),
        ((DBA,), (vote("bob"), vote("carol", approve=False)), False),
    ],
)
def test_what_is_met(*, demands: tuple[ApprovalTerms, ...], votes: tuple, expected: bool) -> None:  # type: ignore[type-arg]
    assert authority.met(demands, votes) is expected


def test_only_votes_let_anything_pass() -> None:
    asked = pending(demands=(TWO,))
    for votes, expected in (
        ((), False),
        ((vote("bob"),), False),
        ((vote("bob"), vote("carol")), True),
        ((vote("bob"), vote("carol"), vote("dave", approve=False)), False),
        ((vote("bob"), vote("carol"), vote(asked.asking.subject)), False),
        ((replace(vote("bob", groups=()), break_glass=True),), True),
        ((replace(vote(asked.asking.subject), break_glass=True),), False),
    ):
        assert authority.carried(replace(asked, votes=votes)) is expected, votes


@given(st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), max_size=8))
def test_humans_share_no_name(known: list[frozenset[str]]) -> None:
    found = authority.humans(known)
    assert sum(len(names) for names in found) == len(frozenset().union(*found))
    assert all(any(names <= human for human in found) for names in known)


def test_a_name_in_common_makes_two_one() -> None:
    known = [identities("a"), identities("b"), identities("a", "b")]
    assert authority.humans(known) == [frozenset("ab")]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (reviewer("bob"), ""),
        (reviewer("bob", groups=("sec", "dba")), ""),
        (reviewer("bob", groups=("sec",)), "approval-group"),
        (reviewer("bob", groups=()), "approval-group"),
        (reviewer("bob", roles=frozenset()), "approval-role"),
        (reviewer("bob", roles=frozenset(Role) - {Role.REVIEWER}), "approval-role"),
        # the bot itself; its human; both under another issuer, and in other letters
        (reviewer("bot"), "approval-not-yours"),
        (reviewer("alice"), "approval-not-yours"),
        (reviewer("BOT", issuer="https://other.example"), "approval-not-yours"),
        (reviewer("u-17", "Alice", issuer="https://other.example"), "approval-not-yours"),
        (reviewer("\uff41lice"), "approval-not-yours"),
        (reviewer("alice", roles=frozenset(Role)), "approval-not-yours"),
    ],
)
def test_who_may_decide(who: Reviewer, expected: str) -> None:
    found = authority.may_decide(pending(), who)
    assert code(found) == expected
    if found:
        assert found.status == 403
        assert found.expected


def test_a_glass_is_broken_by_those_with_the_role_for_one_action() -> None:
    breaker = reviewer("dave", groups=(), roles=frozenset({Role.BREAK_GLASS}))
    assert authority.may_break_glass(pending(), breaker) is None
    assert code(authority.may_break_glass(pending(), reviewer("bob"))) == "approval-role"
    own = replace(breaker, human="alice")
    assert code(authority.may_break_glass(pending(), own)) == "approval-not-yours"
    wide = pending(origin=Origin.GRANT)
    assert code(authority.may_break_glass(wide, breaker)) == "grant-too-wide"


def test_who_may_see() -> None:
    nobody = reviewer("dave", groups=(), roles=frozenset())
    assert code(authority.may_see(pending(), nobody)) == "approval-role"
    assert code(authority.may_see(pending(), reviewer("dave", groups=()))) == "approval-group"
    assert authority.may_see(pending(), reviewer("bob")) is None
    assert authority.may_see(pending(), replace(nobody, human="alice")) is None
    for role in (Role.AUDITOR, Role.ADMIN, Role.BREAK_GLASS):
        assert authority.may_see(pending(), replace(nobody, roles=frozenset({role}))) is None
    revealer = replace(nobody, roles=frozenset({Role.REVEAL}))
    assert code(authority.may_reveal(pending(), revealer)) == "approval-role"
    assert code(authority.may_reveal(pending(), reviewer("bob"))) == "approval-role"
    both = reviewer("bob", roles=frozenset({Role.REVEAL, Role.REVIEWER}))
    assert authority.may_reveal(pending(), both) is None


def test_who_may_review_revoke_and_see_grants() -> None:
    admin = reviewer("dave", groups=(), roles=frozenset({Role.ADMIN}))
    other = reviewer("erin", groups=("sec",))
    given = grant()
    assert authority.may_review(pending(), admin) is None
    assert authority.may_review(pending(), reviewer("bob")) is None
    assert code(authority.may_review(pending(), other)) == "approval-group"
    assert authority.may_revoke(given, (), admin) is None
    giver = reviewer("bob", groups=(), roles=frozenset())
    assert given.by == giver.key
    assert authority.may_revoke(given, (), giver) is None
    assert authority.may_revoke(given, (DBA,), reviewer("carol")) is None
    assert code(authority.may_revoke(given, (SEC,), reviewer("carol"))) == "approval-group"
    assert code(authority.may_revoke(given, (DBA, SEC), other)) == "approval-group"
    assert code(authority.may_see_grant(given, (DBA,), other)) == "approval-group"
    its = reviewer("bot", groups=(), roles=frozenset())
    assert authority.may_see_grant(given, (), its) is None
    assert code(authority.may_revoke(given, (), its)) == "approval-role"
    assert code(authority.may_kill(reviewer("bob"))) == "approval-role"
    assert authority.may_kill(admin) is None


def test_words() -> None:
    wordy = replace(DBA, reason_required=True)
    assert authority.enough_said("", (DBA,)) is None
    assert code(authority.enough_said("", (DBA, wordy))) == "approval-reason"
    assert authority.enough_said("it is fine", (wordy,)) is None
    assert code(authority.enough_said("", needed=True)) == "approval-reason"
    assert code(authority.enough_said("x" * 2001)) == "approval-reason"


@pytest.mark.parametrize(
    ("limits", "hours", "uses", "fits"),
    [
        ((1,), 1, None, True),
        ((1,), 1.01, None, False),
        ((1,), 0, None, False),
        ((1,), -1, None, False),
        ((2, 1), 2, None, False),
        ((2, None), 1, None, False),
        ((), 1, None, False),
        ((1,), 1, 1, True),
        ((1,), 1, 0, False),
        ((1,), 1, 10**7, False),
    ],
)
def test_what_is_grantable(
    *, limits: tuple[int | None, ...], hours: float, uses: int | None, fits: bool
) -> None:
    demands = [replace(DBA, grant=timedelta(hours=hour) if hour else None) for hour in limits]
    found = authority.grantable(demands, timedelta(hours=hours), uses)
    assert code(found) == ("" if fits else "grant-too-wide")


@pytest.mark.parametrize(
    ("scope", "target", "clear"),
    [
        (KillScope.ALL, "", True),
        (KillScope.ALL, "s1", False),
        (KillScope.SESSION, "s1", True),
        (KillScope.SESSION, "", False),
        (KillScope.PRINCIPAL, f"{ISSUER}#bot", True),
        (KillScope.PRINCIPAL, " ", False),
        (KillScope.PRINCIPAL, "x" * 513, False),
    ],
)
def test_what_can_be_killed(*, scope: KillScope, target: str, clear: bool) -> None:
    assert (authority.killable(scope, target) is None) is clear


@pytest.mark.parametrize("roles", [(), *((role,) for role in Role)])
@pytest.mark.parametrize("groups", [(), ("dba",), ("sec",), ("net",)])
@pytest.mark.parametrize("name", ["bob", "bot", "Alice"])
def test_an_audience_says_who_may_see(
    roles: tuple[Role, ...], groups: tuple[str, ...], name: str
) -> None:
    asked = pending(demands=(DBA, SEC))
    who = reviewer(name, groups=groups, roles=frozenset(roles))
    own = name.casefold() in {"bot", "alice"}
    decides = roles == (Role.REVIEWER,) and groups in {("dba",), ("sec",)}
    alls = bool({Role.ADMIN, Role.AUDITOR, Role.BREAK_GLASS} & set(roles))
    assert authority.sees_all(who) is alls
    assert authority.sees(asked.asking.audience, who) is (own or decides or alls)
    assert (authority.may_see(asked, who) is None) is (own or decides or alls)

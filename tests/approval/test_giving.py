"""What grants come of an approval."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proctor.approval.giving import Given, gives, grants_of, may_give
from proctor.approval.model import Asking, Origin, Vote
from tests.approval.desks import SHELL, TWO, WORDS
from tests.approval.samples import NOW, asking, pending, vote

HOUR = timedelta(hours=1)
NET = replace(SHELL, rule_id="net", from_groups=("net",))


def test_one_for_each_rule() -> None:
    done = replace(pending(demands=(SHELL, NET)), grant_id="gr_a gr_b", by="bob", reason="ok")
    one, two = grants_of(done, Given(HOUR, 3, "Bash(rm *)"), NOW)
    assert (one.id, one.rule_id, two.id, two.rule_id) == ("gr_a", "shell", "gr_b", "net")
    assert {(g.principal, g.pattern, g.uses, g.by, g.approval_id) for g in (one, two)} == {
        (done.asking.principal, "Bash(rm *)", 3, "bob", done.id)
    }
    assert one.expires_at == NOW + HOUR
    (suggested,) = grants_of(replace(pending(demands=(SHELL,)), grant_id="gr_a"), Given(HOUR), NOW)
    assert suggested.pattern == done.asking.pattern
    wish = replace(pending(demands=(SHELL,), for_=HOUR, uses=4), grant_id="gr_a")
    for given, uses in ((None, 4), (Given(HOUR), 4), (Given(HOUR, 1), 1)):
        assert [grant.uses for grant in grants_of(wish, given, NOW)] == [uses]
    assert grants_of(pending(), None, NOW) == []
    assert grants_of(pending(), Given(HOUR), NOW) == []


@pytest.mark.parametrize(
    ("what", "said", "given", "fits"),
    [
        (asking(demands=(SHELL,)), vote("bob"), Given(HOUR), True),
        (asking(demands=(SHELL,)), vote("bob", break_glass=True), Given(HOUR), False),
        (asking(demands=(SHELL,)), vote("bob"), Given(2 * HOUR), False),
        (asking(demands=(SHELL,)), vote("bob"), Given(HOUR, None, "Bash(*)"), False),
        (asking(demands=(SHELL,), pattern=""), vote("bob"), Given(HOUR), False),
        (asking(demands=(TWO,)), vote("bob"), Given(HOUR), False),
        (asking(demands=(SHELL, WORDS)), vote("bob"), Given(HOUR), False),
        (asking(demands=(SHELL, NET)), vote("bob"), Given(HOUR), False),
        (asking(demands=(SHELL, NET)), vote("bob", groups=("dba", "net")), Given(HOUR), True),
        (asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR), vote("bob"), Given(HOUR), True),
        (
            asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR),
            vote("bob"),
            Given(2 * HOUR),
            False,
        ),
        (asking(demands=(TWO,), origin=Origin.GRANT), vote("bob"), Given(HOUR), False),
        (
            asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR),
            vote("bob"),
            Given(HOUR, None, "Bash(rm x)"),
            False,
        ),
        (
            asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR, uses=2),
            vote("bob"),
            Given(HOUR, 2),
            True,
        ),
        (
            asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR, uses=2),
            vote("bob"),
            Given(HOUR),
            True,
        ),
        (
            asking(demands=(TWO,), origin=Origin.GRANT, for_=HOUR, uses=2),
            vote("bob"),
            Given(HOUR, 3),
            False,
        ),
    ],
)
def test_who_may_give_what(what: Asking, said: Vote, given: Given, *, fits: bool) -> None:
    error = may_give(replace(pending(), asking=what), said, given)
    assert (error is None) is fits
    assert error is None or error.code == "grant-too-wide"


def test_when_there_is_one() -> None:
    assert gives(asking(), Given(HOUR))
    assert gives(asking(origin=Origin.GRANT), None)
    assert not gives(asking(), None)

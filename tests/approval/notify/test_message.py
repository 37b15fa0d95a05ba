"""What a notification says."""

import json
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval import lifecycle
from proctor.approval.model import Approval, Card, Change, Hidden, KillScope, Origin, Part, State
from proctor.approval.notify import message as messages
from proctor.approval.notify.message import LONGEST, Message, groups, make, plain, topics
from proctor.model import ApprovalTerms
from tests.approval import samples
from tests.approval.samples import NOW

ADDRESS = "https://proctor.example/"


def change(state: str, *, name: str = "ap_x", subject: str = "approval", **more: Any) -> Change:
    known: dict[str, Any] = {"by": "", "reason": "", "at": NOW}
    return Change(seq=7, subject=subject, id=name, state=state, **(known | more))


def held(**changed: Any) -> Approval:
    return replace(samples.pending(**changed), id="ap_x")


def test_a_held_command() -> None:
    made = make(change("pending"), held(), ADDRESS)
    assert made.head == "Held: Bash"
    assert made.summary == "rm -rf build"
    assert made.link == "https://proctor.example/approvals/ap_x"
    assert made.id == "ap_x.7"
    assert made.ends == NOW + samples.TTL
    assert made.facts == (
        ("Approval", "ap_x"),
        ("Rule", "shell"),
        ("Asked by", "bot"),
        ("Behind it", "alice"),
        ("What", "llm.tool_use"),
        ("Session", "s1"),
        ("Until", "2026-11-22 10:00:00 UTC"),
    )


def test_a_decision_says_who_and_why_and_is_told_for_a_day() -> None:
    said = change("denied", by=f"{samples.ISSUER}#bob {samples.ISSUER}#carol", reason="not\nnow")
    made = make(said, replace(held(), state=State.DENIED), ADDRESS)
    assert made.head == "Denied: Bash"
    assert made.facts[-2:] == (("By", "bob, carol"), ("In their words", "not\\nnow"))
    assert made.ends == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "detail", "kind", "told"),
    [
        ("pending", {}, "approval.pending", {"pending"}),
        ("approved", {}, "approval.approved", {"settled"}),
        ("approved", {"break_glass": True}, "approval.break_glass", {"settled", "break_glass"}),
        ("denied", {"break_glass": True}, "approval.denied", {"settled"}),
        ("expired", {}, "approval.expired", {"settled"}),
        ("cancelled", {}, "approval.cancelled", {"settled"}),
        ("reviewed", {}, "approval.reviewed", {"break_glass"}),
    ],
)
def test_what_is_told_of_an_approval(
    state: str, detail: dict[str, Any], kind: str, told: set[str]
) -> None:
    found = change(state, detail=detail)
    assert topics(found) == told
    assert make(found, held(), ADDRESS).type == kind


@pytest.mark.parametrize("state", ["used", "voted", "waiting", "gone", "revealed", "surprise"])
def test_what_nobody_is_told(state: str) -> None:
    assert topics(change(state)) == frozenset()


def test_a_grant_and_a_kill() -> None:
    grant = samples.grant(pattern="Bash(rm *)")
    given_ = make(lifecycle.granted(grant), grant, ADDRESS)
    assert (given_.type, given_.head) == ("grant.granted", "Grant given: Bash(rm *)")
    kill = samples.kill(scope=KillScope.ALL, target="")
    killed = make(lifecycle.killed(kill), kill, ADDRESS)
    assert (killed.type, killed.head) == ("kill.killed", "Killed: all")
    assert killed.link == "https://proctor.example/kills"


@pytest.mark.parametrize(
    ("origin", "head"),
    [(Origin.APPEAL, "Appealed: Bash"), (Origin.GRANT, "Access asked for: Bash")],
)
def test_what_asked_for_it(origin: Origin, head: str) -> None:
    assert make(change("pending"), held(origin=origin), ADDRESS).head == head


def card(**more: Any) -> Card:
    return Card(**{"title": "Bash", "summary": "rm -rf build", **more})


def text(words: str) -> Card:
    return card(summary=words, parts=(Part(name="command", kind="command", text=words),))


COMMAND = Part(name="command", kind="command", text="rm -rf build")
HIDDEN = Hidden(type="PERSON", length=5, place="input.command", shown="[PERSON]")


def also(words: str) -> Card:
    return card(parts=(COMMAND, Part(name="input", kind="json", text=words)))


@pytest.mark.parametrize(
    ("shown", "whole"),
    [
        (card(parts=(COMMAND,)), True),
        (also('{"description": "tidy up", "timeout": 1}'), True),
        (also('{"description": "tidy up", "dangerouslyDisableSandbox": true}'), False),
        (also("[]"), False),
        (also("tidy up"), False),
        (card(), False),
        (card(parts=(Part(name="body", kind="text", text="rm -rf build"),)), False),
        (card(parts=(replace(COMMAND, cut=1),)), False),
        (card(parts=(COMMAND,), hidden=(HIDDEN,)), False),
        (card(parts=(replace(COMMAND, text="rm -rf build\nrm x"),)), False),
        (card(summary="rm a rm b", parts=(replace(COMMAND, text="rm a\nrm b"),)), False),
        (text("x" * LONGEST), True),
        (text("x" * (LONGEST + 1)), False),
        (text("\u202e" * 40), False),
        (text("curl -H 'authorization: Bearer abcdefghijklmn'"), False),
    ],
)
def test_whether_the_summary_is_all_there_is(shown: Card, *, whole: bool) -> None:
    assert make(change("pending"), held(card=shown), ADDRESS).whole is whole


def test_nobody_gives_access_without_having_seen_the_card() -> None:
    asked = held(card=card(parts=(COMMAND,)), origin=Origin.GRANT, for_=timedelta(minutes=15))
    made = make(change("pending"), asked, ADDRESS)
    assert not made.whole
    assert made.facts[-2:] == (("Access to", "Bash(rm -rf build)"), ("For", "0:15:00"))


def test_what_names_the_action_as_it_is_stays_here_where_something_is_hidden() -> None:
    assert "pattern" in make(change("pending"), held(), ADDRESS).data
    data = make(change("pending"), held(card=card(hidden=(HIDDEN,))), ADDRESS).data
    assert not {"pattern", "shape"} & set(data)


def test_words_are_needed_where_one_rule_wants_them() -> None:
    demands = (
        ApprovalTerms(rule_id="a", from_groups=("dba",)),
        ApprovalTerms(rule_id="b", from_groups=("ops",), reason_required=True),
    )
    found = held(demands=demands)
    made = make(change("pending"), found, ADDRESS)
    assert made.words
    assert ("Rule", "a, b") in made.facts
    assert groups(found) == {"dba", "ops"}


def test_nothing_that_is_hidden_or_lets_decide_is_told() -> None:
    found = replace(
        samples.pending(sealed=b"SEALED", card=card(prompt="THEPROMPT", parts=(COMMAND,))),
        nonce="THENONCE",
    )
    packed = make(change("pending"), found, ADDRESS).pack()
    for word in ("SEALED", "THENONCE", "THEPROMPT", "U0VBTEVE"):
        assert word not in packed


def test_a_message_is_the_same_after_it_was_kept() -> None:
    made = make(change("pending"), replace(held(), asking=samples.full()), ADDRESS)
    assert Message.unpack(made.pack()) == made


def test_what_a_repr_says() -> None:
    assert "rm -rf" not in repr(make(change("pending"), held(), ADDRESS))


def test_what_cannot_be_seen_is_written_out() -> None:
    assert plain("a\nb\t\x00\u202ee\u200b\ud800") == "a\\nb\\t\\u{0}\\u{202e}e\\u{200b}\\u{d800}"
    assert plain("żółw 亀") == "żółw 亀"
    assert plain("password=hunter22") == "password=[redacted]"


@given(st.text(max_size=3 * LONGEST), st.integers(1, LONGEST))
def test_any_text_is_bounded_and_harmless(text: str, longest: int) -> None:
    shown = plain(text, longest)
    assert len(shown) <= longest
    assert all(unicodedata.category(char)[0] != "C" for char in shown)
    assert not {"\u2028", "\u2029"} & set(shown)
    shown.encode()


@given(
    st.recursive(
        st.text() | st.integers(), lambda it: st.lists(it) | st.dictionaries(st.text(), it)
    )
)
def test_data_is_bounded(value: Any) -> None:
    def deepest(item: Any) -> int:
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        return 1 + max(map(deepest, inner), default=0)

    bounded = messages._bounded({"parts": value, "card": value})
    assert set(bounded) == {"card"}
    assert deepest(bounded) <= 8
    assert len(json.dumps(bounded["card"])) <= 6 * max(len(json.dumps(value)), LONGEST) + 4000

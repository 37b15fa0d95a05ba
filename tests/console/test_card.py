"""What a card shows, and what can be decided on it."""

import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.approval.model import Hidden, Part, Role, State
from proctor.console.card import grant_lengths, in_words, show
from tests.console.samples import (
    BOB,
    CAROL,
    HOSTILE,
    NOW,
    STRICT,
    TERMS,
    approval,
    asking,
    hostile,
    person,
)
from tests.console.stand import Stand, asked, words

FIRST, TWO, HTTP, ODDITY, OWN, USED, DENIED, GLASS = (
    f"/approvals/ap_abcdefghijkl{number:04d}" for number in (1, 2, 3, 4, 5, 90, 91, 92)
)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_who_what_why_and_what_was_before(stand: Stand) -> None:
    text = words(asked(stand, FIRST).text)
    for shown in (
        "alice is about to do this. The client waits until 10:45:27",
        "Held by destructive-shell Deleting many files at once needs a second pair of eyes.",
        "rm -rf build && npm run build 2>&1 | tail -n 20",
        '"timeout": 120000',
        "https://idp.example/realms/corp#alice",
        "developers, payments",
        "Bash llm.tool_use through claude",
        "Clean up the build folder and run the tests again.",
        "0 of 1 from platform",
        "10:41:27 held",
        "You, before 09:12:31 used rm -rf dist 09:42:31 denied rm -rf /srv/data/exports",
        "Compared with the call before ( 09:42:31 , denied)",
        "- rm -rf /srv/data/exports + rm -rf build && npm run build 2>&1 | tail -n 20",
    ):
        assert shown in text, shown


def test_a_part_of_a_page_is_asked_for_by_htmx(stand: Stand) -> None:
    part = asked(stand, FIRST, part=True).text
    assert "<html" not in part
    assert part.strip().startswith("<article")


def test_votes_and_what_is_still_needed(stand: Stand) -> None:
    text = words(asked(stand, TWO).text)
    assert "1 of 2 from dba or platform, with a reason" in text
    assert "10:40:51 approved by Carol (console) : “Agreed in the change meeting”" in text
    assert "Reason (the rule wants one)" in text
    assert "let the same pass for a while" not in text


def test_what_is_hidden_is_said(stand: Stand) -> None:
    shown = asked(stand, HTTP).text
    assert "EMAIL_ADDRESS, 21 characters, in body : you do not see it" in words(shown)
    assert 'title="EMAIL_ADDRESS, 21 characters: you do not see it"' in shown
    assert "1,840 more characters are not shown." in shown
    assert "Reveal, on record" not in shown
    hidden = Hidden(type="PHONE", length=1, place="x", shown="y")
    assert in_words(hidden) == "PHONE, 1 character: you do not see it"


def test_reveal_is_for_the_role_with_a_reason(stand: Stand) -> None:
    refused = asked(stand, f"{HTTP}/reveal", fields={"reason": "why"})
    assert refused.status == 403
    stand.reviewer = CAROL
    assert "Reveal, on record" in asked(stand, HTTP).text
    assert asked(stand, f"{HTTP}/reveal", fields={"reason": ""}).status == 400
    shown = asked(stand, f"{HTTP}/reveal", fields={"reason": "Is it a test customer?"}, part=True)
    assert "buyer@customer.example" in shown.text
    assert "buyer@customer.example" not in asked(stand, HTTP).text


def test_approving(stand: Stand) -> None:
    answer = asked(stand, f"{FIRST}/decide", fields={"answer": "approve", "reason": ""})
    assert (answer.status, answer.headers["location"]) == (303, FIRST)
    assert stand.desk.all[FIRST[11:]].state is State.APPROVED
    part = asked(stand, f"{FIRST}/decide", fields={"answer": "approve"}, part=True)
    assert (part.status, 'role="alert"' in part.text) == (200, True)
    assert "It is approved already" in part.text


def test_denying_wants_a_reason_where_the_rule_says_so(stand: Stand) -> None:
    answer = asked(stand, f"{TWO}/decide", fields={"answer": "deny", "reason": " "})
    assert (answer.status, "A reason is needed" in answer.text) == (400, True)
    assert stand.desk.all[TWO[11:]].state is State.PENDING
    asked(stand, f"{TWO}/decide", fields={"answer": "deny", "reason": "Not on a Friday"})
    assert stand.desk.all[TWO[11:]].state is State.DENIED
    assert "“Not on a Friday”" in asked(stand, TWO).text


def test_approving_for_a_while(stand: Stand) -> None:
    sent = {"answer": "grant", "grant_for": "900s", "uses": "3", "pattern": "Bash(rm -rf build)"}
    asked(stand, f"{FIRST}/decide", fields=sent)
    (grant,) = stand.desk.given.values()
    assert (grant.expires_at - NOW, grant.uses) == (timedelta(minutes=15), 3)
    assert grant.pattern == "Bash(rm -rf build)"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"answer": "grant", "grant_for": "soon"}, 400),
        ({"answer": "grant", "grant_for": "2h"}, 403),
        ({"answer": "grant", "grant_for": "1h", "uses": "-1"}, 400),
        ({"answer": "grant", "grant_for": "1h", "uses": "٣"}, 400),
        ({"answer": "grant", "grant_for": "1h", "uses": "0"}, 403),
        ({"answer": "perhaps"}, 400),
        ({}, 400),
        ({"answer": "break-glass", "reason": "now"}, 400),
        ({"answer": "break-glass", "reason": "now", "sure": "yes"}, 403),
    ],
)
def test_what_is_not_an_answer(stand: Stand, sent: dict[str, str], status: int) -> None:
    answer = asked(stand, f"{FIRST}/decide", fields={"x": "", **sent})
    assert answer.status == status
    assert 'role="alert"' in answer.text
    assert stand.desk.all[FIRST[11:]].state is State.PENDING
    assert stand.desk.given == {}


def test_other_sites_forms_are_not_taken(stand: Stand) -> None:
    answer = asked(stand, f"{FIRST}/decide", fields={"answer": "approve"}, csrf="guess")
    assert answer.status == 403
    assert stand.desk.all[FIRST[11:]].state is State.PENDING


def test_who_asked_is_told_why_they_cannot(stand: Stand) -> None:
    text = words(asked(stand, OWN).text)
    assert "You cannot decide this. Whoever asked cannot decide it: another human." in text
    assert "Approve" not in text
    stand.reviewer = person("frank", *Role)
    assert "You cannot decide this." in asked(stand, HTTP).text  # their bot asked
    assert "Break the glass" not in asked(stand, HTTP).text


def test_breaking_the_glass(stand: Stand) -> None:
    assert "Break the glass" not in asked(stand, TWO).text
    stand.reviewer = CAROL
    sent = {"answer": "break-glass", "sure": "yes", "reason": "The shop is down"}
    assert asked(stand, f"{TWO}/decide", fields=sent).status == 303
    assert stand.desk.all[TWO[11:]].break_glass
    assert "by breaking the glass" in asked(stand, TWO).text


def test_a_broken_glass_is_looked_at(stand: Stand) -> None:
    assert "I have looked at it" in asked(stand, GLASS).text
    asked(stand, f"{GLASS}/reviewed", fields={"reason": "Right"})
    assert stand.desk.all[GLASS[11:]].reviewed_by == BOB.key
    assert "was looked at by bob" in words(asked(stand, GLASS).text)
    assert "I have looked at it" not in asked(stand, GLASS).text


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.EXPIRED, "Nobody decided it in time. Nothing was done."),
        (State.CANCELLED, "Cancelled: the client has gone. Nothing was done."),
        (State.USED, "Approved, and done."),
        (State.DENIED, "Denied by proctor. Nothing was done."),
    ],
)
def test_how_it_ended(stand: Stand, state: State, told: str) -> None:
    one = stand.desk.all[FIRST[11:]]
    stand.desk.put(replace(one, state=state, by="proctor", reason="the client has gone"))
    text = words(asked(stand, FIRST).text)
    assert told in text.replace(" .", ".")
    assert "Approve a" not in text


def test_one_that_is_not_there(stand: Stand) -> None:
    answer = asked(stand, "/approvals/ap_nothing")
    assert (answer.status, "There is no such approval" in answer.text) == (404, True)


def test_nothing_hides_in_a_command(stand: Stand) -> None:
    shown = asked(stand, ODDITY).text
    assert "holds characters that hide or mislead; they are marked" in shown
    for name in ("RLO", "PDF", "ZWSP", "ESC", " 300 blanks "):
        assert f">{name}</span>" in shown, name
    assert 'class="alike" title="not what it looks like: CYRILLIC SMALL LETTER A"' in shown


def test_markup_in_any_field_is_text(stand: Stand) -> None:
    stand.desk.put(hostile())
    stand.reviewer = replace(BOB, name=HOSTILE, groups=("platform", HOSTILE))
    for path in ("/", "/inbox", "/approvals/ap_abcdefghijkl0066", "/live"):
        shown = asked(stand, path).text
        assert "<img" not in shown
        assert re.findall(r"<script[^>]*>", shown) in (
            [],
            ['<script src="/static/app.js">', '<script src="/static/htmx.min.js" defer>'],
        )
        assert "{{7*7}}" in html.unescape(shown)
        assert "\u202e" not in shown
        assert "\u200b" not in shown
        assert " style=" not in shown
        assert not re.search(r"<[^>]* on\w+=", re.sub(r'"[^"]*"', '""', shown))


def test_a_lone_surrogate_is_shown_and_sent(stand: Stand) -> None:
    stand.desk.put(approval(asking("Bash", "echo \ud800"), 8, ago=1))
    assert "U+D800" in asked(stand, "/approvals/ap_abcdefghijkl0008").text


def test_grants_are_as_long_as_all_rules_let_them() -> None:
    hour = timedelta(hours=1)
    assert max(grant_lengths((TERMS,))) == hour
    assert grant_lengths((TERMS, STRICT)) == ()
    odd = replace(TERMS, grant=timedelta(minutes=7))
    assert grant_lengths((TERMS, odd)) == (timedelta(minutes=5), timedelta(minutes=7))
    assert grant_lengths(()) == ()


def test_a_pattern_that_would_mislead_is_not_offered(stand: Stand) -> None:
    assert 'name="pattern"' in asked(stand, FIRST).text
    assert 'name="pattern"' not in asked(stand, ODDITY).text


def test_json_that_names_a_key_twice_is_shown_as_it_is() -> None:
    text = '{"path":"/tmp","path":"/etc"}'
    assert show(Part(name="input", kind="json", text=text), None, {}).text == text
    assert show(Part(name="x", kind="text", text="a\x1b"), None, {}).odd

"""Values that rules put back leave; the flow and the record never hold them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import State
from proctor.model import Allow, Case, Decision, Deny, Hold
from tests.support.desks import terms
from tests.support.mcpwire import Wire, body_sent, calling, modern, said_json, text, wire
from tests.support.origin import Origin
from tests.support.screened import KEY, MAIL, OTHER

ECHO = said_json(text(f"{MAIL} {OTHER} {KEY}"))
PUT_BACK = Decision(verdict=Allow(rule_id="mail"), restore=frozenset({"EMAIL_ADDRESS"}))


def surrogates(this: Wire) -> list[str]:
    """What stands for the two addresses, and the mask for the key."""
    return this.say(calling("search", {})).text.split()


def test_what_is_permitted_is_put_back(tmp_path: Path) -> None:
    with Origin(ECHO) as origin, wire(origin, tmp_path) as this:
        mail, other, _ = surrogates(this)
        this.rules["send"] = PUT_BACK
        given = {"to": [mail, {"cc": f"<{other}>"}], "key": KEY, "own": MAIL}
        headers = (f"mcp-param-own: {MAIL}", "mcp-param-key: " + KEY)
        said = this.say(modern("tools/call", {"name": "send", "arguments": given}, *headers))
        assert said.text.split()[:2] == [mail, other]
        call = origin.requests[-1]
        assert body_sent(call)["params"]["arguments"] == {
            "to": [MAIL, {"cc": f"<{OTHER}>"}],
            "key": "<API_KEY>",
            "own": MAIL,
        }
        assert f"\r\nmcp-param-own: {MAIL}\r\n".encode() in call
        assert b"\r\nmcp-param-key: <API_KEY>\r\n" in call
        for value in (MAIL, OTHER, KEY):
            assert value.encode() not in this.record
            assert value.encode() not in said.raw
        (tool,) = this.endings[-1]["tools"]
        assert tool["rule_id"] == "mail"


def test_what_is_not_permitted_stays(tmp_path: Path) -> None:
    with Origin(ECHO) as origin, wire(origin, tmp_path) as this:
        mail, *_ = surrogates(this)
        for decision in (
            Decision(verdict=Allow(rule_id="all")),
            replace(PUT_BACK, restore=frozenset({"PERSON"})),
        ):
            this.rules["send"] = decision
            this.say(calling("send", {"to": mail}))
            assert body_sent(origin.requests[-1])["params"]["arguments"] == {"to": mail}
        # What another principal was given stands for nothing.
        this.rules["send"] = PUT_BACK
        this.say(calling("send", {"to": mail}, token="b"))
        assert body_sent(origin.requests[-1])["params"]["arguments"] == {"to": mail}
        assert MAIL.encode() not in origin.received


@pytest.mark.parametrize("kind", ["deny", "hold", "appeal"])
def test_the_rules_are_asked_about_what_leaves(tmp_path: Path, kind: str) -> None:
    """A surrogate hides from a rule what it would say no to."""
    verdict: Any = {
        "deny": Deny(rule_id="not-her", reason="Not to her."),
        "hold": Hold(rule_id="ask", reason="Ask first.", terms=(terms("ask"),)),
        "appeal": Deny(rule_id="ask", reason="Ask first.", appeal=(terms("ask"),)),
    }[kind]

    def decide(case: Case) -> Decision:
        mcp = case.action.mcp
        shown = mcp is not None and MAIL in str(mcp.arguments)
        return replace(PUT_BACK, verdict=verdict) if shown else PUT_BACK

    with Origin(ECHO) as origin, wire(origin, tmp_path) as this:
        mail, *_ = surrogates(this)
        this.stand.rules.decide = decide  # type: ignore[method-assign]  # rules that look inside
        reached = len(origin.requests)
        if kind == "deny":
            said = this.say(calling("send", {"to": mail}))
            assert said.text == "proctor: Not to her. (rule not-her)"
            assert len(origin.requests) == reached
            assert this.endings[-1]["verdict"] == "deny"
            assert MAIL.encode() not in this.record
            return
        answer = this.ask(calling("send", {"to": mail}))
        (approval,) = this.pending()
        card = approval.asking.card
        assert MAIL not in repr(card)
        assert mail in repr(card)
        assert len(origin.requests) == reached
        this.decide(approval.id, State.APPROVED)
        answer.result(30)
        if kind == "appeal":
            this.say(calling("send", {"to": mail}))  # whoever appealed asks again
        assert body_sent(origin.requests[-1])["params"]["arguments"] == {"to": MAIL}
        assert MAIL.encode() not in this.record


def test_several_things_in_one_message_agree_about_what_is_put_back(tmp_path: Path) -> None:
    """What a person answered to a server goes by rules of its own."""
    with Origin(ECHO) as origin, wire(origin, tmp_path) as this:
        mail, *_ = surrogates(this)
        this.rules["send"] = PUT_BACK
        answered = {"q": {"action": "accept", "content": {"to": mail}}}
        params = {"name": "send", "arguments": {"to": mail}, "inputResponses": answered}
        this.say(modern("tools/call", params))
        assert MAIL.encode() not in origin.received
        this.rules["response"] = PUT_BACK
        this.say(modern("tools/call", params))
        assert body_sent(origin.requests[-1])["params"]["arguments"] == {"to": MAIL}


def test_where_nothing_is_taken_out_nothing_is_put_back() -> None:
    with Origin(ECHO) as origin, wire(origin) as this:
        this.rules["send"] = PUT_BACK
        this.say(calling("send", {"to": MAIL}))
        assert body_sent(origin.requests[-1])["params"]["arguments"] == {"to": MAIL}

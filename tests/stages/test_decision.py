"""May it? Refusals as a client reads them."""

from pathlib import Path

from proctor.model import Decision, Deny, Hold
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from tests.support.origin import Origin
from tests.support.stand import OK, error_of, house, listener, post, running


def test_a_denial_reads_well_and_is_on_record() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.rules.answers["claude"] = Decision(
            verdict=Deny(rule_id="no-web", reason="The provider must not browse for us.")
        )
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 451 ")
    assert b"x-should-retry: false" in answer
    message = error_of(answer)["message"]
    assert "The provider must not browse for us." in message
    assert "no-web" in message
    assert origin.connections == 0
    ((_, fields),) = this.store.appended
    assert (fields["rule_id"], fields["reason"]) == (
        "no-web",
        "The provider must not browse for us.",
    )
    assert fields["turn"]["model"] == "m"


def test_a_hold_that_slipped_in_denies() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.rules.answers["claude"] = Decision(verdict=Hold(rule_id="h", reason="", terms=()))
        with running(this) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 451 ")
    assert origin.connections == 0


def test_a_rule_that_fails_to_evaluate_denies(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        """rules:
  - {id: everyone, on: llm.request, then: allow}
  - {id: team, on: llm.request, when: 'http.headers["x-team"] == "blue"', then: deny}
"""
    )
    policy = load_policy(tmp_path, features=Features())
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.rules.decide = policy.decide  # type: ignore[method-assign]
        with running(this) as proxy:
            fails = proxy.request("claude", post())
            passes = proxy.request("claude", post(more=b"x-team: red\r\n"))
    assert fails.startswith(b"HTTP/1.1 451 ")
    assert "rule team" in error_of(fails)["message"]
    assert passes.startswith(b"HTTP/1.1 200 ")
    assert len(origin.requests) == 1

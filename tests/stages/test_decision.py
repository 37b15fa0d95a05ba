"""May it? Refusals as a client reads them."""

from proctor.model import Decision, Deny, Hold
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

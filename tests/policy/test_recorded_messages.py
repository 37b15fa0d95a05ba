"""Messages of WebSockets in a backtest: what is not kept of them is not known, never guessed."""

from pathlib import Path

from proctor.model import ActionKind
from proctor.policy.recordedrows import recorded_cases
from tests.support.recorded import record
from tests.support.talked import FLOW, talked


def test_what_rules_saw_of_a_message_is_not_known(tmp_path: Path) -> None:
    store = record(tmp_path / "r", talked)
    found = [
        each
        for each in recorded_cases(store, FLOW)
        if each.case.action.kind is ActionKind.WS_MESSAGE
    ]
    assert len(found) == 7
    for each in found:
        assert {"ws.direction", "ws.type", "ws.json", "findings"} <= set(each.hidden)
    assert (found[-1].verdict, found[-1].rule_id) == ("deny", "no-drop")
    assert found[0].case.action.http is not None
    assert found[0].case.action.http.host == "feed.internal"
    assert found[0].case.action.http.method == "GET"

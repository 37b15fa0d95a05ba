"""What is said of what was killed."""

import pytest

from proctor.approval.killed import ended
from proctor.approval.model import Kill, KillScope
from tests.support.desks import NOW


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (KillScope.SESSION, "This session was"),
        (KillScope.PRINCIPAL, "You were"),
        (KillScope.ALL, "Everything was"),
    ],
)
def test_whom_it_reached_and_why(scope: KillScope, words: str) -> None:
    error = ended(Kill(id="k_1", scope=scope, target="", reason="enough", by="carol", at=NOW))
    assert error.message == f"{words} stopped by an administrator: enough"
    assert error.rule_id == "kill k_1"

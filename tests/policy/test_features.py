"""What this version can enforce."""

from proctor.model import ActionKind
from proctor.policy.features import Features


def test_features_lack_whole_names() -> None:
    assert not Features().lacks("findings")
    assert Features().lacks("budget.tokens")
    assert not Features().lacks("action.tainted")
    assert not Features().lacks("novelty.host")
    assert Features().lacks("novelty.table")
    assert not Features().lacks("action.kind")
    assert not Features().lacks("http.operation")


def test_doors_of_this_version() -> None:
    assert ActionKind.LLM_REQUEST in Features().kinds
    assert ActionKind.MCP_CALL in Features().kinds
    assert ActionKind.SQL_STATEMENT not in Features().kinds

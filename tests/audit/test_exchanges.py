"""Envelopes become exchanges."""

from pathlib import Path

import pytest

from proctor.audit.exchanges import read
from proctor.audit.find import Target
from proctor.audit.reader import opened
from proctor.errors import ClientError
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, START, others, record, story


def test_begin_and_end_are_one(tmp_path: Path) -> None:
    with opened(record(tmp_path / "r", story, others)) as reader:
        assert reader is not None
        found = read(reader, Target(principal=ALICE.key, session_id=SESSION))
        (alone,) = read(reader, Target(principal=ALICE.key, flow_id="f1003-0000"))
        with pytest.raises(ClientError, match="on record"):
            read(reader, Target(principal=ALICE.key, session_id="nope"))
    assert [each.started_at for each in found] == sorted(each.started_at for each in found)
    assert len({each.flow_id for each in found}) == len(found) == 10
    first = found[0]
    assert (first.started_at, first.status, first.stop_reason) == (START, 200, "tool_use")
    assert [tool.name for tool in first.tools] == ["Bash"]
    assert [given.id for given in found[1].results] == ["toolu_1"]
    assert [each.refused for each in found].index(True) == 4
    assert found[7].observed[0].rule_id == "watch-opus"
    assert found[9].ended_at is None
    assert found[9].ended == found[9].started_at
    assert (alone.session_id, alone.model) == (None, "claude-sonnet-5-5")

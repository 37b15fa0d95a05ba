"""What was held, from the record."""

import asyncio
from pathlib import Path
from typing import Any

from proctor.audit.find import Target
from proctor.audit.held import Held, read_held
from proctor.audit.reader import opened
from proctor.audit.recorder import Recorder
from tests.support.envelopes import ALICE, BOB, MOMENT, STILL


def read(path: Path, target: Target) -> list[Held]:
    with opened(path) as reader:
        assert reader is not None
        return read_held(reader, target)


async def change(recorder: Recorder, name: str, state: str, **more: Any) -> None:
    fields = {
        "flow_id": "f1", "session_id": "s", "principal": ALICE, "rule_id": "r",
        "approval_id": name, "state": state, "by": None, "reason": None, **more,
    }  # fmt: skip
    await recorder.append("approval", fields)


def test_changes_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "r"

    async def main() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        await change(recorder, "a", "pending", tool_use_id="toolu_1", at=MOMENT)
        await change(recorder, "b", "pending")
        await change(recorder, "a", "approved", by=BOB, reason="Fine.")
        await change(recorder, "a", "vote")
        await change(recorder, "c", "pending", principal=BOB)
        await change(recorder, "d", "denied", session_id=None, rule_id=None, flow_id="f2")
        await change(recorder, "e", "pending", session_id=None, flow_id="f3")
        await recorder.close()

    asyncio.run(main())
    first, second = read(path, Target(principal=ALICE, session_id="s"))
    assert (first.id, first.flow_id, first.tool_use_id, first.rule_id) == (
        "a", "f1", "toolu_1", "r",
    )  # fmt: skip
    assert first.at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert [(step.state, step.by, step.reason) for step in first.steps] == [
        ("pending", "", ""), ("approved", BOB, "Fine."), ("vote", "", ""),
    ]  # fmt: skip
    assert (first.state, second.state, second.tool_use_id) == ("approved", "pending", "")
    (alone,) = read(path, Target(principal=ALICE, flow_id="f2"))
    assert (alone.id, alone.rule_id, alone.state) == ("d", "", "denied")

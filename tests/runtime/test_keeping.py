"""What doctor says of what is kept."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.audit.store import Store
from proctor.evidence import erasure, holds
from proctor.evidence.erasure import Order
from proctor.evidence.holds import Hold, Subject
from proctor.evidence.retention import RetentionSettings
from proctor.runtime.checkup import State
from proctor.runtime.keeping import keeping_findings
from tests.evidence.days import Time, days
from tests.support.envelopes import run


@dataclass
class _Audit:
    path: Path
    retention: RetentionSettings


@dataclass
class _Config:
    audit: _Audit


def test_what_is_kept_and_what_is_held(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    config: Any = _Config(_Audit(path, RetentionSettings()))
    assert list(keeping_findings(config)) == []
    asyncio.run(days(path, Time(), 2, lambda day: run(f"s{day}")))
    (one,) = keeping_findings(config)
    assert one.state is State.OK
    assert "from 2026-01-01 on; kept for ever" in one.what
    config.audit.retention = RetentionSettings(turns=86400.0)
    made = Hold(name="case", subject=Subject(), reason="", by="root", at="2026")
    holds.write(path, [made])
    order = Order(
        id="er_" + "a" * 16,
        subject=Subject(session="s"),
        reason="",
        by="root",
        at="2026-01-02T00:00:00Z",
    )
    erasure.write_order(Store.at(path), order)
    one, two, three = keeping_findings(config)
    assert "every hour" in one.what
    assert two.what == "In force: case"
    assert (three.state, "2026-01-02" in three.what) == (State.WARN, True)
    (path / holds.FILE).write_bytes(b"[")
    (one,) = keeping_findings(config)
    assert one.state is State.FAIL

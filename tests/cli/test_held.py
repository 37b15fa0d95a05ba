"""Who decided, in plain words."""

import io
from datetime import timedelta

from proctor.audit.held import Held, Step
from proctor.cli import held
from proctor.cli.screen import put, screen
from tests.support.recorded import HOSTILE, START


def test_rows() -> None:
    steps = (
        Step(at=START, state="pending", by="proctor", reason=""),
        Step(at=START + timedelta(seconds=9), state="approved", by="i#bob", reason=HOSTILE),
    )
    one = Held(id="ap_1", flow_id="f", tool_use_id="", rule_id="r", steps=steps)
    out = io.StringIO()
    for label, content in held.rows([one]):
        assert label == "held"
        put(screen(out, 100), content)
    head, asked, decided = out.getvalue().splitlines()
    assert head.rstrip() == "ap_1  approved  by rule r"
    assert asked.rstrip() == "03:04:05 asked"
    assert decided.startswith("03:04:14 approved by i#bob: “\\x1b]0;owned")
    assert "\x1b" not in out.getvalue()

"""`proctor replay --send`, on a console that says what a test says."""

import json
from typing import Any, cast

import pytest

from proctor.cli.common import OutputFormat
from proctor.cli.console import Console
from proctor.cli.resend import send
from proctor.errors import UpstreamError
from tests.support.recorded import HOSTILE

SENT = {
    "turn": 3, "model": "m", "differs": ["text"], "diff": [f"-{HOSTILE}", "+now"],
    "recorded": {"status": 200, "stop_reason": "end_turn", "output_tokens": 5, "seconds": 1.5},
    "sent": {"status": 529, "stop_reason": "", "output_tokens": 0, "seconds": 0.2,
             "error": "overloaded"},
}  # fmt: skip


def job(stage: str, **more: Any) -> dict[str, Any]:
    return {"id": "ap_1", "stage": stage, "requests": 1, "problem": "", "results": [], **more}


class Says:
    """Gives one answer after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def _next(self, method: str, path: str) -> Any:
        self.asked.append((method, path))
        return self.answers.pop(0)

    def post(self, path: str, _body: Any) -> Any:
        return self._next("POST", path)

    def get(self, path: str) -> Any:
        return self._next("GET", path)

    def delete(self, path: str) -> Any:
        return self._next("DELETE", path)


def run(says: Says, output: OutputFormat | None = None, pause: Any = lambda _: None) -> bool:
    return send(cast("Console", says), {}, output, pause)


def test_it_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    says = Says(job("waiting"), job("waiting"), job("sending"), job("done", results=[SENT]))
    assert run(says)
    assert says.asked == [("POST", "replays")] + [("GET", "replays/ap_1")] * 3
    told = capsys.readouterr()
    assert json.loads(told.out)["results"][0]["turn"] == 3
    assert "ap_1 waits for a human: `proctor approvals approve ap_1`" in told.err


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Says(job("done", results=[SENT])), OutputFormat.TABLE)
    told = capsys.readouterr().out
    for shown in ("200 → 529", "end_turn →", "5 → 0", "1.5 s → 200 ms", "overloaded", "+now"):
        assert shown in told
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_a_no(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(Says(job("refused", problem="it was denied")))
    assert "refused: it was denied" in capsys.readouterr().err


def test_an_interruption_cancels(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    says = Says(job("waiting"), job("cancelled"))
    assert not run(says, pause=interrupted)
    assert says.asked[-1] == ("DELETE", "replays/ap_1")
    assert "cancelled" in capsys.readouterr().err


@pytest.mark.parametrize("odd", [[], {}, {"id": 1}, None])
def test_what_is_no_replay(odd: Any) -> None:
    with pytest.raises(UpstreamError):
        run(Says(odd))

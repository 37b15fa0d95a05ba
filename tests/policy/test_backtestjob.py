"""A backtest in a process of its own: what it says when it cannot be done."""

import io
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.policy import backtestjob
from proctor.policy.backtestrun import Job
from proctor.policy.features import Features
from tests.support.judged import START, rules


def test_an_error_names_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    features = Features(listeners=frozenset({"a"}), servers=frozenset(), entities=None)
    job = Job(
        recordings=tmp_path / "none",
        rules=rules(tmp_path / "rules", "rules: [{id: x}]"),
        now=None,
        features=features,
        features_now=features,
        since=START,
        until=START + timedelta(days=1),
    )
    assert backtestjob.read(backtestjob.order(job, 1.0)) == (job, 1.0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(backtestjob.order(job, 1.0))))
    backtestjob.main()
    said = capsys.readouterr().out
    assert json.loads(said)["error"]["code"] == "rule-invalid"
    assert "rules.yaml:1" in said
    assert str(tmp_path) not in said

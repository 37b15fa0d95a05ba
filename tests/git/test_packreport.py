"""A report goes from one process to the other as it is."""

import json

from proctor.git.packreport import Commit, PackReport, PathChange
from proctor.model import Finding


def test_there_and_back() -> None:
    report = PackReport(
        objects=1,
        bytes=2,
        inflated=3,
        commits=(Commit(id="a", parents=("b",), tree="c", author="d", committer="e", subject="f"),),
        tags={"a": "b"},
        changes=(PathChange(path="p\n", blob="", size=-1, mode="000000"),),
        findings=(Finding(type="T", location="l", direction="request", score=1.0),),
        missing=("x",),
        incomplete=("y",),
    )
    assert PackReport.from_json(json.loads(json.dumps(report.as_json()))) == report

"""A pytest plugin: what became of each test, as lines of JSON in the file OUTCOMES names."""

import json
import os
from pathlib import Path

import pytest

_found: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test fails with any of its phases."""
    known = _found.get(report.nodeid)
    if report.failed:
        _found[report.nodeid] = "fail"
    elif report.skipped and known != "fail":
        _found[report.nodeid] = "skip"
    elif known is None and report.when == "call":
        _found[report.nodeid] = "pass"


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """So does a file that cannot be read."""
    if report.failed:
        _found[report.nodeid] = "fail"


def pytest_sessionfinish() -> None:
    """All at once, at the end."""
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(_found), encoding="utf-8")

"""A worker's process: what it gets of an environment, and what becomes of its log."""

import json
import logging
from pathlib import Path

import pytest

from proctor.config import load
from proctor.postgres.child import environment_of, log_lines
from proctor.stdio.lines import TooLong
from tests.support.databases import LISTENER, configuration

MORE = """\
  - {name: web, header: x-api-key, value: {env: WEB}}
"""
WEB = (
    "name: web, kind: reverse, listen: 127.0.0.1:0, upstream: https://a.internal, speaks: http,"
    " credential: web"
)


def test_secrets_of_others_are_kept_back(tmp_path: Path) -> None:
    config = load(configuration(tmp_path, LISTENER, WEB, more=MORE))
    given = {"PATH": "/bin", "DB_PASSWORD": "a", "WEB": "b"}
    assert environment_of(given, config, ["orders"]) == {"PATH": "/bin", "DB_PASSWORD": "a"}


def test_its_log_becomes_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    line = {"ts": "…", "level": "info", "logger": "x.y", "event": "e", "message": "100 %", "n": 1}
    log_lines([json.dumps(line).encode(), b"Traceback", b"  \x1b[2J", TooLong()])
    first, second = caplog.records
    assert (first.name, first.levelname, first.getMessage()) == ("x.y", "INFO", "100 %")
    assert (first.__dict__["event"], first.__dict__["n"]) == ("e", 1)
    assert (second.levelname, second.getMessage()) == (
        "ERROR",
        "Traceback\n  \\x1b[2J\n(a long line)",
    )


@pytest.mark.parametrize(
    "line", [b'{"level": 3, "args": "x", "levelno": 7, "message": [1]}', b"{}"]
)
def test_no_line_of_its_log_does_harm(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    log_lines([line])
    assert caplog.records[0].levelno == logging.ERROR

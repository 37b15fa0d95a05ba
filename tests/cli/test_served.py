"""What is told while a recording is served."""

import asyncio
import sys

import pytest

from proctor.cli.served import serve_again
from proctor.replay.normal import Own
from proctor.replay.recorded import Recording
from proctor.replay.server import OnDivergence
from proctor.units import Address
from tests.replay.test_matching import ask, turn

RECORDING = Recording(
    session="s\x1b[2J", turns=(turn(1, ask("a")),), left_out={2: "proctor refused it"}, own=Own(),
    types=frozenset(),
)  # fmt: skip


def serve(code: str, host: str = "127.0.0.1") -> int:
    command = [sys.executable, "-c", code]
    address = Address(host=host, port=0)
    return asyncio.run(serve_again(RECORDING, address, OnDivergence.ANSWER, command))


def test_what_a_person_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("raise SystemExit(3)") == 3
    told = capsys.readouterr()
    assert told.out == ""
    *lines, last = told.err.splitlines()
    assert lines == [
        "proctor: 1 turn of session s\\x1b[2J to be served",
        "proctor: turn 2 cannot be served: proctor refused it",
        "proctor: 0 requests; none diverged; not asked for: 1",
    ]
    assert last.startswith("proctor: nothing asked the replay: ")


def test_who_else_could_reach_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("", host="0.0.0.0") == 1  # noqa: S104 - what is warned of
    assert "warning: whoever reaches this address" in capsys.readouterr().err

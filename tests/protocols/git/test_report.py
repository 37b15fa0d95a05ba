"""What git's client is told, in its own words."""

import pytest

from proctor.protocols.git import report
from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.protocols.git.push import Command, Push

A, B = "a" * 40, "b" * 40
COMMANDS = (Command(b"refs/heads/main", A, B), Command(b"refs/tags/\xff", A, B))
LINES = (
    pkt(b"unpack ok\n")
    + pkt(b"ng refs/heads/main denied by rule x\n")
    + pkt(b"ng refs/tags/\xff denied by rule x\n")
    + FLUSH
)


def push(*capabilities: bytes) -> Push:
    return Push(commands=COMMANDS, capabilities=frozenset(capabilities))


def test_a_report_beside_words() -> None:
    said = report.refused(push(b"report-status", b"side-band-64k"), "denied by rule x", ["why"])
    assert said == pkt(b"\2proctor: why\n") + pkt(b"\1" + LINES) + FLUSH


def test_a_report_alone() -> None:
    assert report.refused(push(b"report-status-v2"), "denied by rule x", ["why"]) == LINES


def test_words_alone() -> None:
    said = report.refused(push(b"side-band-64k"), "denied", ["why"])
    assert said == pkt(b"\2proctor: why\n") + pkt(b"\3proctor: denied\n") + FLUSH


def test_nothing_can_be_said() -> None:
    assert report.refused(push(), "denied", ["why"]) == b""


def test_a_long_report_takes_several_lines() -> None:
    many = tuple(Command(b"refs/heads/%05d" % number, A, B) for number in range(5000))
    asked = Push(commands=many, capabilities=frozenset({b"report-status", b"side-band-64k"}))
    said = report.refused(asked, "no", [])
    assert said.startswith(b"fff0\1")
    assert said.endswith(FLUSH)


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "a\u202eb", "a\x9bb"])
def test_nothing_forges_a_terminal(text: str) -> None:
    assert report.words(text).decode().isprintable()


def test_refs_refused() -> None:
    said = report.refused_refs("git-receive-pack", "no")
    assert said == pkt(b"# service=git-receive-pack\n") + FLUSH + pkt(b"ERR proctor: no\n") + FLUSH
    assert len(report.words("x" * 5000)) <= 1002

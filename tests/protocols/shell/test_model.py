"""Commands and lines."""

import pytest

from proctor.protocols.shell.model import (
    LISTED,
    SURROUNDING,
    UNKNOWN,
    Command,
    Line,
    opaque,
    seen,
    unsure,
    wild,
)


@pytest.mark.parametrize(
    ("word", "program"),
    [("rm", "rm"), ("/bin/rm", "rm"), ("./a/b", "b"), ("\uff52\uff4d", "rm"), ("r\u200bm", "rm")],
)
def test_program(word: str, program: str) -> None:
    assert Command(words=(word, "x")).program == program


def test_no_program() -> None:
    assert Command(words=()).program == ""


@pytest.mark.parametrize("invisible", ["\u200b", "\u202e", "\u00ad", "\ufeff", "\x07", "\ufe0f"])
def test_seen_leaves_out_what_nobody_sees(invisible: str) -> None:
    assert seen(f"r{invisible}m") == "rm"


def test_seen_leaves_lines_and_tabs() -> None:
    assert seen("a\n\tb é") == "a\n\tb é"


@pytest.mark.parametrize(
    ("word", "result"),
    [
        (UNKNOWN, True),
        (f"{UNKNOWN}x", True),
        (f"-{UNKNOWN}", True),
        (f"{UNKNOWN}/x", False),
        (f"x{UNKNOWN}", False),
        (LISTED, False),
        (SURROUNDING, False),
        ("-rf", False),
    ],
)
def test_wild(word: str, result: bool) -> None:  # noqa: FBT001 - a table
    assert wild(word) is result


def test_unsure() -> None:
    assert unsure(f"a{UNKNOWN}")
    assert unsure(f"a{SURROUNDING}")
    assert not unsure(f"a{LISTED}")


def test_opaque_and_nothing_of_the_line_in_a_repr() -> None:
    line = Line(commands=(Command(words=("a", "geheim")), opaque("why", "geheim")))
    assert line.opaque
    assert not Line(commands=line.commands[:1]).opaque
    assert "geheim" not in repr(line)

"""Options and operands."""

import pytest

from proctor.protocols.shell.options import operand, operands, takes_value, value


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("sudo rm", 1),
        ("sudo -u root rm", 3),
        ("sudo -uroot rm", 2),
        ("sudo -nu root rm", 3),
        ("sudo --user root rm", 3),
        ("sudo --user=root rm", 2),
        ("sudo -- -x", 2),
        ("sudo - x", 1),
        ("sudo -u", 2),
        ("sudo", 1),
    ],
)
def test_operand(line: str, at: int) -> None:
    words = line.split()
    assert min(operand(words, {"-u", "--user"}), len(words)) == at


def test_takes_value() -> None:
    assert takes_value("-chdir", {"-chdir"})
    assert not takes_value("-ux", {"-u"})
    assert not takes_value("--user=x", {"--user"})


def test_operands_stand_anywhere() -> None:
    assert operands(["rm", "a", "-rf", "b", "--", "-c"]) == ["a", "b", "-c"]
    assert operands(["cp", "-S", ".x", "a", "-", "b"], {"-S"}) == ["a", "-", "b"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sort -o x y", "x"),
        ("sort -ox y", "x"),
        ("sort --output=x", "x"),
        ("sort --output x", "x"),
        ("sort -o", None),
        ("sort y", None),
    ],
)
def test_value(line: str, found: str | None) -> None:
    assert value(line.split(), "-o", "--output") == found

"""Simple commands: assignments, redirections, here-documents."""

import pytest

from proctor.protocols.shell.model import UNKNOWN
from proctor.protocols.shell.reader import read_command
from tests.protocols.shell.reading import words_of


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("a > b", ["b"]),
        ("a >b 2>>c", ["b", "c"]),
        ("a &> b", ["b"]),
        ("a &>> b", ["b"]),
        ("a >| b", ["b"]),
        ("a <> b", ["b"]),
        ("a >& b", ["b"]),
        ("a {fd}> b", ["b"]),
        ("> b a", ["b"]),
        ("a 2>&1 >&- 3<&0", []),
        ("a < b", []),
        ("a > /dev/null", []),
        ('a > "$b"', ["$"]),
        ("a 2> b/$c", ["b/$"]),
    ],
)
def test_redirections(line: str, paths: list[str]) -> None:
    (command,) = read_command(line).commands
    assert list(command.redirects) == paths
    assert list(command.writes) == paths
    assert command.words == ("a",)


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        ("a <<E\nb\nE", "b\n"),
        ("a <<'E'\n$b\nE\n", "$b\n"),
        ("a <<\\E\n$b\nE\n", "$b\n"),
        ('a <<"E F"\n$b\nE F\n', "$b\n"),
        ('x=1; a <<E\n$x `echo 2` \\$x "\\"\nE\n', '1 2 $x "\\"\n'),
        ("a <<-E\n\tb\n\tE\n", "b\n"),
        ("a <<E\nE\n", ""),
        ("a <<< 'b c'", "b c\n"),
        ("a <<< $(echo b)", "b\n"),
        ("a < b", ""),
    ],
)
def test_input(line: str, stdin: str) -> None:
    assert read_command(line).commands[-1].stdin == stdin


def test_several_here_documents() -> None:
    commands = read_command("a <<A; b <<B\n1\nA\n2\nB\nc").commands
    assert [(each.words, each.stdin) for each in commands] == [
        (("a",), "1\n"),
        (("b",), "2\n"),
        (("c",), ""),
    ]


def test_what_stands_in_a_here_document_is_no_command() -> None:
    line = "cat <<'E' > f && ls\nrm -rf / ; $(rm) `rm`\nE\npwd"
    assert words_of(line) == [["cat"], ["ls"], ["pwd"]]
    assert ["rm"] in words_of("cat <<E\n$(rm)\nE")


@pytest.mark.parametrize(
    "line",
    [
        "a <<E",
        "a <<E\nb",
        "a >",
        "a <<E 'b\nc' d\nE\n",
        "a=(b",
        "a <<E \\\nb\nE\n",
        "a > ;",
        "x (y",
    ],
)
def test_unreadable(line: str) -> None:
    assert read_command(line).opaque


def test_assignments() -> None:
    assert words_of("A=1 B='x y' a") == [["a"]]
    assert words_of("A=1; echo $A") == [["echo", "1"]]
    assert words_of("A=1 echo $A") != [["echo", "1"]]
    assert words_of('A=(1 2); echo "${A[0]}"') == [["echo", UNKNOWN]]
    assert words_of('A[1]=2; A+=3; echo "$A"') == [["echo", UNKNOWN]]
    assert words_of("export -a A=(1 2)") == [["export", "-a", f"A={UNKNOWN}"]]


@pytest.mark.parametrize(
    ("line", "steered"),
    [("PATH=. a", True), ("env LD_PRELOAD=x a", True), ("PATH=.; a", True), ("DEBUG=1 a", False)],
)
def test_steered(line: str, steered: bool) -> None:  # noqa: FBT001 - a table
    assert read_command(line).commands[-1].steered is steered


def test_a_word_that_may_be_none_is_read_both_ways() -> None:
    assert ["rm", "-rf", "a"] in words_of("docker exec $x web rm -rf a")
    assert ["rm", "-rf", "a"] in words_of("docker exec $x rm -rf a")


@pytest.mark.parametrize("name", ["f()", "f ( )", "function f", "function f()"])
@pytest.mark.parametrize(
    "body", [" { rm a; }", "\n{\nrm a\n}", " ( rm a )", " if a; then rm a; fi"]
)
def test_functions(name: str, body: str) -> None:
    assert ["rm", "a"] in words_of(f"{name}{body}; f")

"""Words: quotes and expansions as they stand in a line."""

import pytest

from proctor.protocols.shell.model import LISTED, SURROUNDING, UNKNOWN
from proctor.protocols.shell.reader import read_command
from tests.protocols.shell.reading import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("'a b'", ["a b"]),
        ('"a b"', ["a b"]),
        (r"a\ b", ["a b"]),
        ("a\\\nb", ["ab"]),
        ("'a\\\nb'", ["a\\\nb"]),
        ('"a\\\nb"', ["ab"]),
        (r'"\$x \a \" \\"', [r'$x \a " \ '[:-1]]),
        ("a''b", ["ab"]),
        ("''", [""]),
        ('""', [""]),
        ("a#b #c", ["a#b"]),
        ("$'a\\tb'", ["a\tb"]),
        ('$"a"', ["a"]),
        ("a\\", ["a\\"]),
        ("$", ["$"]),
        ("a$", ["a$"]),
        ("~/a", ["~/a"]),
        ("{a,b}c", ["ac", "bc"]),
        ("'{a,b}'", ["{a,b}"]),
        ("*.py", ["*.py"]),
        ("!(a|b)", ["!*"]),
        ("$HOME/a", ["~/a"]),
        ("${HOME}", ["~"]),
        ("$x", [SURROUNDING]),
        ('"a$x"', [f"a{SURROUNDING}"]),
        ("$1", [UNKNOWN]),
        ('"$@"', [UNKNOWN]),
        ("${x:-a}", [UNKNOWN]),
        ("${!x}", [UNKNOWN]),
        ("$((1 + 2))", [UNKNOWN]),
        ("a${IFS}b", ["a", "b"]),
        ('"a${IFS}b"', ["a \t\nb"]),
        ("$(echo a b)", ["a", "b"]),
        ('"$(echo a b)"', ["a b"]),
        ("`echo a`", ["a"]),
        ('"`echo \\"a\\"`"', ["a"]),
        ("`echo \\`echo a\\``", ["a"]),
        ("$(echo $(echo a))", ["a"]),
        ("$(date)", [UNKNOWN]),
        ("$(ls)", [LISTED]),
        ("<(ls)", ["/dev/fd/63"]),
        ("a<(ls)b", ["a/dev/fd/63b"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert ["echo", *words] in words_of(f"echo {text}")


@pytest.mark.parametrize(
    ("value", "text", "word"),
    [
        ("arm", "${x:1}", "rm"),
        ("arms", "${x:1:2}", "rm"),
        ("xm", "${x/x/r}", "rm"),
        ("xx", "${x/x/r}", "rx"),
        ("xx", "${x//x/r}", "rr"),
        ("RM", "${x,,}", "rm"),
        ("rm", "${x^^}", "RM"),
        ("a/b.py", "${x##*/}", "b.py"),
        ("a/b.py", "${x%.py}", "a/b"),
        ("a/b.py", "${x%/*}", "a"),
        ("a/b/c", "${x#*/}", "b/c"),
        ("a/b/c", "${x%%/*}", "a"),
        ("a/b/c", "${x#a/}", "b/c"),
        ("a", "${x#*/}", "a"),
        ("{a,b}", "$x", "{a,b}"),
    ],
)
def test_variables(value: str, text: str, word: str) -> None:
    assert words_of(f"x='{value}'; echo {text}") == [["echo", word]]


def test_a_variable_is_split_where_it_is_not_quoted() -> None:
    assert words_of("x='a b'; echo $x \"$x\"") == [["echo", "a", "b", "a b"]]
    assert read_command("IFS=,; x=rm,a; $x").opaque


@pytest.mark.parametrize(
    "text",
    ["'a", '"a', "`a", "$(a", "${a", "$((1", "$'a", "\"${a:-'}$(ls)${b:-'}\"", "$(('1'))", "a(b"],
)
def test_unreadable(text: str) -> None:
    assert read_command(f"echo {text}").opaque


@pytest.mark.parametrize(
    "text",
    [
        "${x:-$(ls)}",
        '"${x:-$(ls)}"',
        "$((1 + $(ls)))",
        "${x/$(ls)/a}",
        "${x:-`ls`}",
        "${x:-<(ls)}",
        "!(a|$(ls))",
    ],
)
def test_what_is_run_inside_is_seen(text: str) -> None:
    assert ["ls"] in [list(command.words) for command in read_command(f"echo {text}").commands]

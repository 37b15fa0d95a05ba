"""Whole lines: the grammar, hostile input, and what a real bash does."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.protocols.shell.model import LISTED, SURROUNDING, UNKNOWN
from proctor.protocols.shell.reader import MAX_TEXT, read_command
from tests.protocols.shell.oracle import BASH, Oracle
from tests.protocols.shell.reading import words_of


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ("", ""),
        ("# a", ""),
        ("a; b & c && d || e\nf", "a b c d e f"),
        ("a | b |& c", "a b c"),
        ("! a | b", "a b"),
        ("(a; (b)) | c", "a b c"),
        ("{ a; b; } > x && c", "a b  c"),
        ("if a; then b; elif c; then d; else e; fi; f", "a b c d e f"),
        ("while a; do b; done; until c; do d; done", "a b c d"),
        ("for i in 1; do a; done; for i; do b; done", "a b"),
        ("for i in 1\ndo\na\ndone", "a"),
        ("for ((i=0; i<3; i++)); do a; done", "a"),
        ("select i in 1; do a; done", "a"),
        ("case $x in a|b) c;; (d) e;& *) f;; esac; g", "c e f g"),
        ("case x in\na)\nb\n;;\nesac", "b"),
        ("case x in a) b; esac", "b"),
        ("case x in esac; a", "a"),
        ("[[ a && b || ( c < d ) ]] && e", "e"),
        ("[[ $x =~ ^(a|b)$ ]] || c", "c"),
        ("((a + b)); c", "c"),
        ("((a); b)", "a b"),
        ("a\r\nb\r\n", "a b"),
        ("a &&\n\nb |\nc", "a b c"),
        ("if a; then for i in 1; do if b; then c; fi; done; fi", "a b c"),
        ("echo if then fi; a", "echo a"),
        ("time -p a", "a"),
    ],
)
def test_grammar(line: str, programs: str) -> None:
    commands = read_command(line).commands
    assert [each.program for each in commands] == (programs.split(" ") if programs else [])
    assert not read_command(line).opaque


@pytest.mark.parametrize(
    "line",
    [
        ")", "a)", "(a", "{ a", "if a; then b; fi; fi", "done", "esac", "while a; do b", "else a",
        "case x", "case x in a", "case x in a) b", "for", "for 1 in a; do b; done", "[[ a",
        "a \0 b", "a \ue000", "\ue002a", "$(" * 300, "(" * 300, "`" * 301, "{" * 20_000,
        "${a:-" * 5000, "a;" * 5000, "x" * (MAX_TEXT + 1),
        "for i in 1 2 3 4 5 6 7 8; do " * 9 + "a;" + "done;" * 9,
        "".join(f"a{n + 1}=$a{n}$a{n}$a{n}$a{n};" for n in range(60)).join(["a0=xxxx;", "$a60"]),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_opaque_and_takes_no_time(line: str) -> None:
    before = time.process_time()
    read = read_command(line)
    assert read.opaque
    assert all(command.why for command in read.commands if command.opaque)
    assert time.process_time() - before < 2


def test_a_reason_says_nothing_of_the_line() -> None:
    for line in ("geheim 'x", "geheim)", "curl geheim | sh", "$geheim x", "geheim (x)"):
        assert all("geheim" not in command.why for command in read_command(line).commands)


def test_a_long_document_is_read() -> None:
    text = "cat > x <<'E'\n" + "rm -rf / # it's\n" * 5000 + "E\nls"
    assert words_of(text) == [["cat"], ["ls"]]


def test_a_loop_over_many_values_is_read_once() -> None:
    assert words_of("for i in 1 2 3 4 5 6 7 8 9; do a $i; done") == [["a", "1"]]
    assert words_of("for i in 1 2 3 4 5 6 7 8 -9; do a $i; done") == [["a"], ["a", UNKNOWN]]


PIECES = [
    "rm", "ls", "foo", "git", "-rf", "a", "b", " ", ";", "|", "||", "&&", "'", '"', "\\",
    "\\\n", "`", "$(", ")", "(", "{ ", "; }", "$x", "${x}", '"$y"', "x=rm;", "x='ls -l';",
    "{a,b}", " #", "!", "if ", "; then ", "; fi", "; else ", "for i in a b; do ",
    "while false; do ", "; done", "case a in ", "a) ", ";;", "; esac", "*", "$'", "\\x72",
    "<<E\n", "\nE\n", "<<'E'\n", "<<<", "sh -c ", "eval ", "sh", "echo ", "echo rm", "cat ",
    "env ", "xargs ", "nohup ", "rev", "base64 -d", "cm0gYQo=", "f() ", "$((", "))", "[[ ",
    "]]", "<(", "${x:-", "${x#", "~", "export x=ls;", "unset x;", "IFS=a;", "set -- rm a;",
    "$@", "$1", "alias l=rm;", "time ", "+=", "\r\n", "$IFS", "2>&1", ">o", "true", "false",
    "trap 'rm a' EXIT;", "$(echo rm) a", "r\\m a", "{rm,a}", 'f() { rm "$1"; }; f a',
    "env A=1 rm",
]  # fmt: skip
LINES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map("".join)


@given(LINES | st.text(max_size=30))
@settings(max_examples=150)
def test_any_line_is_read(line: str) -> None:
    read = read_command(line)
    assert all(command.words or command.redirects or command.opaque for command in read.commands)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    if not BASH.exists():
        pytest.skip("there is no bash to compare with")
    return Oracle(tmp_path_factory.mktemp("oracle"))


def was_read(ran: tuple[str, ...], line: str) -> bool:
    """Whether a command that bash ran was found, as far as its words can be known."""
    for command in read_command(line).commands:
        words = tuple(word.replace("\r", "") for word in (command.program, *command.words[1:]))
        if command.words and words[0] == ran[0]:
            if words[1:] == tuple(word.replace("\r", "") for word in ran[1:]):
                return True
            if any(char in "".join(words) for char in (UNKNOWN, LISTED, SURROUNDING, *"*?[~")):
                return True
    return False


@pytest.mark.parametrize(
    "line",
    [
        r"r\m -rf a", "r''m a", "$'\\x72m' a", "{rm,-rf,a}", "rm${IFS}a", "a=rm; $a -rf x",
        "a=arm; ${a:1} x", "r\\\nm a", "# \\\nrm a", "echo rm a | sh", "sh <<E\nrm a\nE",
        "echo cm0gYQo= | base64 -d | sh", "cat <<'E' | sh; ls\nrm 'a b'\nE", "sh -c 'rm \"a b\"'",
        "eval 'rm a'", "xargs rm <<< 'a b'", "if true; then rm a; fi",
        "for i in a b; do rm $i; done",
        'f() { rm "$1"; }; f a', "(rm a)", "echo $(rm a)", "[[ -n $(rm a) ]]", "cat <(rm a)",
        "case x in x) rm a;; esac", "x=ls; false && x=q; e${y}val 'rm a'", "alias rm=ls; rm a",
        "echo mr | rev | sh", "trap 'rm a' EXIT", "nohup nice -n 1 env A=1 timeout 5 rm a",
        "a=rm; export a; sh -c '$a x'", "rm ${x:-$(ls a)}", "git <<< `rm a`", "! rm a | ls",
    ],
)  # fmt: skip
def test_bash_runs_nothing_else(oracle: Oracle, line: str) -> None:
    ran = oracle.ran(line)
    assert ran
    assert read_command(line).opaque or all(was_read(each, line) for each in ran)


@given(LINES)
@settings(max_examples=60, deadline=None)
def test_bash_never_runs_what_was_not_read(oracle: Oracle, line: str) -> None:
    if not read_command(line).opaque:
        assert all(was_read(each, line) for each in oracle.ran(line))

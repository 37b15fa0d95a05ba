"""What a command does to the shell, and what else it runs."""

import pytest

from proctor.protocols.shell.model import LISTED, UNKNOWN
from proctor.protocols.shell.reader import read_command
from proctor.protocols.shell.running import hidden
from tests.protocols.shell.reading import words_of


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("rm", False),
        ("/bin/rm", False),
        (f"{UNKNOWN}/bin/rm", False),
        ("./größe.sh", False),
        ("größe", True),
        (UNKNOWN, True),
        (f"/bin/{LISTED}", True),
        ("\uff52\uff4d", True),
        ("./\uff52\uff4d", True),
        ("r\u200bm", True),
        ("\u0433m", True),
        ("", True),
        ("/bin/", True),
    ],
)
def test_hidden(word: str, result: bool) -> None:  # noqa: FBT001 - a table
    assert hidden(word) is result


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("cd a; touch b", ["a/b"]),
        ("cd a && touch b", ["a/b"]),
        ("cd a; cd ..; touch b", ["b"]),
        ("(cd a); touch b", ["b"]),
        ("cd -- a; touch b", ["a/b"]),
        ("cd; touch b", ["~/b"]),
        ("pushd /x; popd; touch b", ["$/b", "/x/b"]),
        ('cd "$x"; touch b', ["$/b"]),
        ("bash -c 'cd a'; touch b", ["b"]),
        ("eval 'cd a'; touch b", ["a/b"]),
        ("cd /x; cd a; touch b", ["/x/a/b", "/x/b"]),
        ("ssh h 'touch /x'; touch b", ["b"]),
        ("docker exec c touch /x; touch b", ["b"]),
    ],
)
def test_folders(line: str, paths: list[str]) -> None:
    assert list(read_command(line).commands[-1].writes) == paths


@pytest.mark.parametrize(
    "line",
    [
        "export a=rm; sh -c '$a x'",
        "a=rm; export a; sh -c '$a x'",
        "declare -x a=rm; bash -c '$a x'",
        "a=rm sh -c '$a x'",
        "env a=rm sh -c '$a x'",
        "a=rm; eval '$a x'",
        "eval a=rm; $a x",
        "alias a=rm; a x",
        "readonly a=rm; $a x",
        "a=rm; (true; $a x)",
        "if true; then a=rm; $a x; fi",
        "for a in ls rm; do $a x; done",
        "case q in q) a=rm; $a x;; esac",
    ],
)
def test_variables_reach_where_they_reach(line: str) -> None:
    assert ["rm", "x"] in words_of(line)


@pytest.mark.parametrize(
    "line",
    [
        "a=ls; sh -c '$a rm x'",
        "a=ls; unset a; $a rm x",
        "a=ls; read a; $a x",
        "a=ls; printf -v a rm; $a x",
        "a=ls; a=rm; $a x",
        "a=l; a+=s; $a x",
        "false && a=ls; $a x",
        "false || a=ls; $a x",
        "(a=ls); $a x",
        "a=ls | true; $a x",
        "true | a=ls; $a x",
        "a=ls & $a x",
        "if false; then a=ls; fi; $a x",
        "if false; then a=ls; else $a x; fi",
        "while false; do a=ls; done; $a x",
        "for b in; do a=ls; done; $a x",
        "case q in z) a=ls;; esac; $a x",
        "f() { a=ls; }; $a x",
        "while read a; do $a x; done",
        "a=$(date); $a x",
        "alias a='rm x;'; a",
        'export "$x"; a=ls; declare $(date); $a x',
    ],
)
def test_what_may_not_be_so_is_not_relied_on(line: str) -> None:
    assert read_command(line).opaque


def test_an_alias_may_not_be_in_use() -> None:
    assert words_of("alias rm=echo; rm x") == [["alias", "rm=echo"], ["echo", "x"], ["rm", "x"]]


def test_a_wrapper_that_is_looked_through_is_no_command_itself() -> None:
    assert words_of("timeout 5 rm x") == [["rm", "x"]]
    assert words_of("sudo rm x") == [["sudo", "rm", "x"], ["rm", "x"]]
    assert words_of("command -v rm") == [["command", "-v", "rm"]]


def test_a_script_in_a_named_file_is_an_ordinary_command() -> None:
    assert words_of("sh < x.sh") == [["sh"]]
    assert read_command("sh < $x").opaque


def test_nested_too_deeply() -> None:
    assert read_command("sudo " * 20 + "ls").opaque
    assert read_command("eval " * 60 + "ls").opaque

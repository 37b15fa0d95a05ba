"""One command against one pattern."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proctor.policy.commands import CommandPattern, globbed, parse_command, written
from proctor.protocols.shell.model import Command
from proctor.protocols.shell.reader import read_command


def pattern_of(text: str) -> CommandPattern:
    found = parse_command(text)
    assert isinstance(found, CommandPattern), found
    return found


def met(pattern: str, line: str) -> bool:
    return any(pattern_of(pattern).met(written(each)) for each in read_command(line).commands)


@pytest.mark.parametrize(
    ("pattern", "line", "result"),
    [
        ("npm test", "npm test", True),
        ("npm test", "npm test x", False),
        ("npm test", "npm", False),
        ("npm test *", "npm test", True),
        ("npm test *", "npm test x y", True),
        ("npm test *", "npm tests", False),
        ("npm test:*", "npm test x", True),
        ("npm run build:prod *", "npm run build:prod", True),
        ("git push * :*", "git push origin :x", True),
        ("git push * :*", "git push origin x", False),
        ("ls*", "lsof", True),
        ("* --version", "x --version", True),
        ("npm * --fix", "npm run lint --fix", True),
        # another way to write the same
        ("rm *", "/usr/bin/rm x", True),
        ("/usr/bin/rm *", "/usr/bin/rm x", True),
        ("/usr/bin/rm *", "rm x", False),
        ("rm *", "RM x", True),
        ("rm -rf *", "rm -fr x", True),
        ("rm -rf *", "rm -r -f x", True),
        ("rm -rf *", "rm x -rvf", True),
        ("rm -rf *", "rm -R --force x", True),
        ("rm -rf *", "rm --recur --fo x", True),
        ("rm -rf *", "rm -r x", False),
        ("rm -rf *", "rm -f x", False),
        ("rm -rf *", "rm -- -rf", False),
        ("rm -rf x", "rm -fr x", True),
        ("rm -rf x", "rm -fr y", False),
        ("git push --force *", "git push -f", True),
        ("git push -f *", "git push origin --force", True),
        ("git push -f *", "git -C a push -f", True),
        ("git push -f *", "git --git-dir a -c b=c push -f", True),
        ("git push -f *", "git commit -m push -f", False),
        ("git push -f *", "git push", False),
        ("git branch -D *", "git branch -d x", False),
        ("kubectl delete *", "kubectl -n x delete pod", True),
        ("kubectl delete *", "kubectl get delete", False),
        ("aws * delete-*", "aws --region x s3api delete-bucket --bucket b", True),
        ("terraform destroy *", "terraform -chdir=x destroy", True),
        ("terraform apply -auto-approve *", "terraform apply x -auto-approve", True),
        ("curl --output *", "curl --output=x y", True),
        ("psql *drop *", "psql -c 'DROP TABLE x'", True),
        ("psql *drop *", "psql <<< 'drop table x'", True),
        ("psql *drop *", "psql -c 'select 1'", False),
        # what cannot be known
        ("rm -rf *", "rm $(date) x", True),
        ("rm -rf *", "rm -$(date) x", True),
        ("rm -rf *", "rm x/$(date)", False),
        ("rm -rf *", "rm -- $(date)", False),
        ("rm -rf *", "rm $x", False),
        ("git push -f *", "git $x push -f", True),
        ("git push -f *", "git push $x-f", True),
        ("git push -f *", 'git -C "$x" status', False),
        ("git push *", "git $(date)", True),
        ("git push *", "git -C $(date) status", False),
        ("psql *drop *", 'psql "$(date)"', False),
        ("ls", "$x", True),
        ("<unreadable>", "$x", True),
        ("<unreadable>", "ls", False),
        ("<unreadable>", "> x", False),
        ("*", "> x", True),
    ],
)
def test_met(pattern: str, line: str, result: bool) -> None:  # noqa: FBT001 - a table
    assert met(pattern, line) is result


@pytest.mark.parametrize(
    ("pattern", "line", "result"),
    [
        ("rm -f *", "rm -f x", True),
        ("rm -f *", "rm -rf x", False),
        ("rm *", "/bin/rm x", False),
        ("rm *", "RM x", False),
        ("rm *", "rm", True),
        ("rm *", "rm $(date)", True),
        ("ls", "l\u200bs", False),
        ("ls", "$x", False),
        ("ls", "ls > ~/x", False),
        ("ls", "ls > ../x", False),
        ("ls", "ls > $x", False),
        ("ls", "ls > x", True),
        ("npm test", "GIT_PAGER=x npm test", False),
        ("npm test", "CI=1 npm test", True),
        ("*", "> x", False),
        ("<unreadable>", "$x", False),
    ],
)
def test_covers(pattern: str, line: str, result: bool) -> None:  # noqa: FBT001 - a table
    assert pattern_of(pattern).covers(read_command(line).commands[-1]) is result


@pytest.mark.parametrize(
    "text",
    [
        "a && b", "a || b", "a | b", "a;b ; c", "a & b", "a > b", "a 2> b", "a < b", 'a "b"',
        "a 'b'", "a `b`", "a $(b)", "A=1 b", "timeout 5 b", "time b", "nohup b",
    ],
)  # fmt: skip
def test_what_could_never_be_met_is_refused(text: str) -> None:
    assert isinstance(parse_command(text), str)


@pytest.mark.parametrize("text", ["time", "command -v *", "rm -rf (x)", "awk {print}", "a;b"])
def test_what_could_be_met_is_not(text: str) -> None:
    assert isinstance(parse_command(text), CommandPattern)


@given(st.text(st.sampled_from("ab*"), max_size=8), st.text(st.sampled_from("ab"), max_size=8))
def test_globbed_as_a_plain_recursion_finds_it(pattern: str, text: str) -> None:
    def fits(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(fits(pattern[1:], text[n:]) for n in range(len(text) + 1))
        return bool(text) and text[0] == pattern[0] and fits(pattern[1:], text[1:])

    assert globbed(pattern, text) is fits(pattern, text)


PARTS = st.text(st.sampled_from("abrf-/*: "), max_size=12)


@example(": :", [": :"])
@given(PARTS, st.lists(PARTS | st.sampled_from(["rm", "-rf", "--force"]), max_size=5))
def test_what_is_let_through_word_for_word_is_also_meant(pattern: str, words: list[str]) -> None:
    found = parse_command(pattern)
    if isinstance(found, CommandPattern):
        command = Command(words=tuple(words))
        assert found.met(written(command)) or not found.covers(command)


@given(st.text(max_size=40), st.lists(st.text(max_size=10), max_size=5))
def test_never_raises(pattern: str, words: list[str]) -> None:
    found = parse_command(pattern)
    if isinstance(found, CommandPattern):
        found.met(written(Command(words=tuple(words))))

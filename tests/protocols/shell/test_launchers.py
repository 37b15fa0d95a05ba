"""Programs that start others in ways of their own."""

import shlex

import pytest

from proctor.protocols.shell.inner import Hidden, Inner, Run, Script
from proctor.protocols.shell.launchers import LAUNCHERS, find_roots
from proctor.protocols.shell.model import LISTED, UNKNOWN


def run(*words: str) -> tuple[Inner, ...]:
    return (Run(words=words),)


@pytest.mark.parametrize(
    ("line", "stdin", "found"),
    [
        ("xargs rm", "a b\n", run("rm", "a", "b")),
        ("xargs -n 1 -0 rm -f", None, run("rm", "-f", UNKNOWN)),
        ("xargs rm", "'a b'", run("rm", UNKNOWN)),
        ("xargs", None, run("echo", UNKNOWN)),
        ("xargs -I{} rm {}/x", None, run("rm", f"{UNKNOWN}/x")),
        ("xargs -I % rm %", "a", run("rm", UNKNOWN)),
        (r"find a -exec rm {} \;", None, run("rm", f"a/{LISTED}")),
        ("find -name x -execdir rm {} +", None, run("rm", f"./{LISTED}")),
        ("find a -name x", None, ()),
        ("find a -exec", None, ()),
        ("ssh -p 22 h ls -l", None, (Script(text="ls -l", elsewhere=True),)),
        ("ssh h", None, ()),
        ("parallel rm ::: a b", None, (Script(text="rm"),)),
        ("parallel rm -f ::: a", None, run("rm", "-f", UNKNOWN)),
        ("parallel", None, (Hidden(why="which programs it starts is not known"),)),
        ("git -c alias.x='!rm' x", None, (Script(text="rm"),)),
        ("git -c alias.x=status x", None, ()),
        ("git -c core.pager='rm x' log", None, (Script(text="rm x"),)),
        ("git config --global alias.x '!rm'", None, (Script(text="rm"),)),
        ("git submodule foreach 'rm x'", None, (Script(text="rm x"),)),
        ("git bisect run rm x", None, (Script(text="rm x"),)),
        ("git rebase -x 'rm x' main", None, (Script(text="rm x"),)),
        ("git status", None, ()),
        ("watch -n 1 rm x", None, (Script(text="rm x"),)),
        ("trap 'rm x' EXIT", None, (Script(text="rm x", process=False),)),
        ("trap - EXIT", None, (Script(text="-", process=False),)),
        ("trap", None, ()),
        ("su alice -c 'rm x'", None, (Script(text="rm x"),)),
        ("at now", "rm x", (Script(text="rm x"),)),
        ("eval rm x", None, (Script(text="rm x", process=False),)),
        ("source x", None, ()),
    ],
)
def test_launchers(line: str, stdin: str | None, found: tuple[Inner, ...]) -> None:
    words = shlex.split(line)
    assert LAUNCHERS[words[0]](words, stdin) == found


def test_find_roots() -> None:
    assert find_roots(shlex.split("find -L a b ! -name x")) == ["a", "b"]
    assert find_roots(["find"]) == ["."]

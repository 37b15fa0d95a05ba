"""Shells and other languages."""

import shlex

import pytest

from proctor.protocols.shell.inner import Hidden, Inner, Run, Script
from proctor.protocols.shell.interpreters import eval_, interpreted, source
from proctor.protocols.shell.model import SURROUNDING, UNKNOWN

LS = (Script(text="ls"),)


@pytest.mark.parametrize(
    ("line", "stdin", "found"),
    [
        ("sh -c ls", None, LS),
        ("bash -lc ls x", None, LS),
        ("bash -o pipefail -e -c ls", None, LS),
        ("bash --norc -c ls", None, LS),
        ("bash --rcfile x -c ls", None, LS),
        ("bash +x -c ls", None, LS),
        ("fish --command ls", None, LS),
        ("sh", "ls", LS),
        ("sh -", "ls", LS),
        ("sh -s a", "ls", LS),
        ("sh /dev/stdin", "ls", LS),
        ("sh script.sh", "ls", ()),
        ("sh -- script.sh", None, ()),
        ("bash --version", None, ()),
        ("bash -c", None, ()),
        ("python x.py", None, ()),
        ("python -c 'print(1)'", None, ()),
        ("python3.12 -m pytest -q", None, (Run(words=("pytest", "-q")),)),
        ("node -e 'x.exec(y)'", None, ()),
        ("node -e 'console.log(`a`)'", None, ()),
        ("python - x", "re.compile('a')", ()),
        ("awk '{print $1}'", None, ()),
    ],
)
def test_known(line: str, stdin: str | None, found: tuple[Inner, ...]) -> None:
    assert interpreted(shlex.split(line), stdin) == found


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        ("sh", None),
        ("bash -s", None),
        (f"bash {UNKNOWN}", None),
        (f"bash {SURROUNDING}", None),
        (f"bash -{UNKNOWN} ls", None),
        ("bash /dev/fd/63", None),
        (f"sh -c 'ls {UNKNOWN}'", None),
        ("python -c 'os.system(1)'", None),
        ("python3 -Ic 'import subprocess'", None),
        ("python3 -", "shutil.rmtree('x')"),
        ("python3", "exec('x')"),
        (f"python -c {UNKNOWN}", None),
        ("perl -e 'system \"x\"'", None),
        ("perl -ne '`x`'", None),
        ("ruby -e 'FileUtils.rm_r(1)'", None),
        ("node --eval=\"require('child_process')\"", None),
        ("php -r 'shell_exec(1);'", None),
        ("awk 'BEGIN{system(\"x\")}'", None),
        ("awk '{print | \"sh\"}'", None),
    ],
)
def test_hidden(line: str, stdin: str | None) -> None:
    (found,) = interpreted(shlex.split(line), stdin) or ()
    assert isinstance(found, Hidden)
    assert found.why


def test_no_interpreter() -> None:
    assert interpreted(["ls"], None) is None


def test_source_and_eval() -> None:
    assert source(["source", "x.sh"], None) == ()
    assert source(["."], None) == ()
    assert source([".", "/dev/stdin"], "ls") == LS
    assert isinstance(source([".", UNKNOWN], None)[0], Hidden)
    assert eval_(["eval", "a", "b"], None) == (Script(text="a b", process=False),)
    assert eval_(["eval", "--", "a"], None) == (Script(text="a", process=False),)
    assert eval_(["eval"], None) == ()

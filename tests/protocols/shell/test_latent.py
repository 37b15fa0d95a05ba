"""Text that runs once it is evaluated: each of these was seen to touch a file in Bash 5.2."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ToolFields
from proctor.policy.match import parse_pattern
from proctor.protocols.shell.latent import assigned, evaluates
from proctor.protocols.shell.reader import read_command

RUNS = [
    "x='$(touch f)'; echo ${x@P}",
    "x='a[$(touch f)]'; ((x))",
    "x='a[`touch f`]'; echo $((x))",
    "x='a[$'; x+='(touch f)]'; ((x))",
    "a='[$'; x=\"y$a(touch f)]\"; ((x))",
    "x='a[$(touch f)]'; [[ x -eq 1 ]]",
    "x='y[$(touch f)]'; echo ${!x}",
    "x='a[$(touch f)]'; b[x]=1",
    "x='a[$(touch f)]'; declare -n r=$x; echo $r",
    "x=('a[$(touch f)]'); ((x))",
    "for x in 'a[$(touch f)]'; do ((x)); done",
    "set -- 'a[$(touch f)]'; (($1))",
    "f() { (($1)); }; f 'a[$(touch f)]'",
    "bash -c '(($1))' _ 'a[$(touch f)]'",
    "read -r x <<< 'a[$(touch f)]'; ((x))",
    "printf -v x %s 'a[$(touch f)]'; ((x))",
    "declare -i n='a[$(touch f)]'",
    "declare 'a[$(touch f)]=1'",
    "test -v 'a[$(touch f)]'",
    "[[ -v 'a[$(touch f)]' ]]",
    "[[ 'a[$(touch f)]' -eq 1 ]]",
    "printf -v 'a[$(touch f)]' y",
    "read 'a[$(touch f)]' <<< y",
    "for ((i='a[$(touch f)]'; 0; )); do :; done",
    "PS4='$(touch f)'; set -x; :",
    "compgen -W '$(touch f)'",
]


@pytest.mark.parametrize("line", RUNS)
def test_what_runs_once_it_is_evaluated_is_no_plain_command(line: str, tmp_path: Path) -> None:
    subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert (tmp_path / "f").exists()
    tool = ToolFields(name="Bash", command=line)
    assert any(command.opaque for command in read_command(line).commands)
    assert parse_pattern("Bash(touch *)").matches(tool)  # a rule that holds
    for allowed in ("echo *", "test *", "read *", "printf *", "declare *", "compgen *"):
        assert not parse_pattern(f"Bash({allowed})").matches(tool, every=True)


@pytest.mark.parametrize(
    "line",
    [
        "x='a[1]'; ((i++)); echo $x",
        "re='^[a-z]+$'; [[ $x =~ $re ]] && echo y",
        "[[ $(wc -l < f) -gt 5 ]] && echo long",
        "awk '{ print $1 }' f",
        "for i in 1 2; do echo $((i + 1)); done",
        "a=(x y); echo ${a[0]} ${a[@]} ${#a[@]}",
        "x=abc; echo ${x:0:1} ${x:-y} ${x^^}",
        "MSG='costs $5'; git commit -m \"$MSG\"",
        "git commit -m 'see [`x`](y)'",
        "grep -E '[a-z]$' f",
    ],
)
def test_what_people_write_stays_readable(line: str) -> None:
    assert not any(command.opaque for command in read_command(line).commands)


@pytest.mark.parametrize(
    "line",
    [
        "((PATH=1)); npm test",
        "echo $((PATH=1)); npm test",
        "let a=PATH=1; npm test",
        "[[ PATH=1 -eq 1 ]]; npm test",
        "echo ${a[PATH=1]}; npm test",
        "x=npm; ((x=1)); $x test",
        "((++PATH)); npm test",
    ],
)
def test_arithmetic_gives_values_too(line: str) -> None:
    pattern = parse_pattern("Bash(npm test)")
    echo = parse_pattern("Bash(echo *)")
    tool = ToolFields(name="Bash", command=line)
    commands = read_command(line).commands
    assert not any(
        pattern.command and pattern.command.covers(each)
        for each in commands
        if "test" in each.words
    )
    assert not echo.matches(tool, every=True)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("a=1", ["a"]),
        ("a==1", []),
        ("a<=b", []),
        ("a!=b", []),
        ("b[c[2]]<<=1", ["b", "c"]),
        ("--d", ["d"]),
        ("e++ + 0x1f", ["e"]),
    ],
)
def test_what_an_expression_gives_a_value_to(expression: str, names: list[str]) -> None:
    assert assigned(expression) == names


@given(st.text(alphabet="ab[]$(){}=+-!@:` PS4\nletv", max_size=40))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert evaluates(text) in {True, False}
    assert all(name.isidentifier() for name in assigned(text))


@pytest.mark.parametrize(
    "line",
    [
        "npx -c 'rm -rf x'",
        "npx -y --call='rm -rf x'",
        "npm exec -c 'rm -rf x'",
        "npm x --call 'rm -rf x'",
        "mapfile -C 'rm -rf x' -c 1 a < f",
        "readarray '-Crm -rf x' -c 1 a < f",
        "compgen -C 'rm -rf x'",
        "systemd-run --user rm -rf x",
        "pkexec rm -rf x",
        "taskset 1 rm -rf x",
    ],
)
def test_other_ways_to_run_a_text(line: str) -> None:
    tool = ToolFields(name="Bash", command=line)
    assert parse_pattern("Bash(rm -rf *)").matches(tool)

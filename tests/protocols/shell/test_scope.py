"""Variables and folders."""

import pytest

from proctor.protocols.shell.model import LISTED, SURROUNDING, UNKNOWN, Unreadable
from proctor.protocols.shell.scope import MAX_DEPTH, MAX_VALUE, MAX_WORK, Scope, State, steers


@pytest.fixture
def scope() -> Scope:
    return Scope(state=State())


def test_what_is_not_set_is_the_surroundings_business(scope: Scope) -> None:
    assert scope.get("EDITOR") == scope.get("_x") == SURROUNDING
    assert scope.get("1") == scope.get("@") == scope.get("_") == UNKNOWN
    assert (scope.get("HOME"), scope.get("PWD"), scope.get("?")) == ("~", ".", "0")


def test_a_second_value_makes_both_unknown(scope: Scope) -> None:
    scope.set("a", "x")
    scope.set("a", "x")
    assert scope.get("a") == "x"
    scope.set("a", "y")
    assert scope.get("a") == UNKNOWN
    assert scope.state.changing == {"a"}


def test_a_huge_value_is_unknown(scope: Scope) -> None:
    scope.set("a", "x" * (MAX_VALUE + 1))
    assert scope.get("a") == UNKNOWN


def test_what_was_set_in_between_is_blurred(scope: Scope) -> None:
    scope.set("a", "x")
    before = scope.variables
    scope.set("b", "y")
    scope.blur(before)
    assert (scope.get("a"), scope.get("b")) == ("x", UNKNOWN)


def test_another_process_knows_what_is_exported(scope: Scope) -> None:
    scope.set("a", "x")
    scope.set("b", "y")
    scope.exported.add("a")
    scope.aliases["l"] = "ls"
    inner = scope.inner(process=True)
    assert (inner.get("a"), inner.get("b"), inner.aliases) == ("x", SURROUNDING, {})
    assert (scope.inner().get("b"), scope.inner().aliases) == ("y", {"l": "ls"})


@pytest.mark.parametrize(
    ("folders", "name", "found"),
    [
        ([], "a", ["a"]),
        ([], "./a/../b", ["b"]),
        ([], "../a", ["../a"]),
        ([], "//etc//x", ["/etc/x"]),
        ([], "~/x", ["~/x"]),
        ([], f"{UNKNOWN}/x", ["$/x"]),
        ([], f"{SURROUNDING}", ["$"]),
        ([], f"/opt/{LISTED}", ["/opt/*"]),
        ([], "/dev/null", []),
        ([], "/dev/tcp/x/1", ["/dev/tcp/x/1"]),
        (["a", "b"], "x", ["a/b/x"]),
        (["a", ".."], "x", ["x"]),
        (["..", "a"], "x", ["../a/x", "../x"]),
        (["/etc"], "x", ["/etc/x"]),
        (["/etc", "/srv"], "x", ["/srv/x", "/etc/x"]),
        (["-"], "x", ["$/x"]),
        ([UNKNOWN], "x", ["$/x"]),
        ([LISTED], "x", ["*/x"]),
    ],
)
def test_paths(scope: Scope, folders: list[str], name: str, found: list[str]) -> None:
    for folder in folders:
        scope.enter(folder)
    assert scope.paths(name) == found


def test_no_paths_of_another_machine(scope: Scope) -> None:
    scope.elsewhere = True
    assert scope.inner().paths("/etc/x") == []


def test_limits(scope: Scope) -> None:
    with pytest.raises(Unreadable, match="too much"):
        scope.state.step(MAX_WORK + 1)
    deep = Scope(state=State(), depth=MAX_DEPTH)
    with pytest.raises(Unreadable, match="deep"):
        deep.inner()
    with pytest.raises(Unreadable, match="deep"), deep.deeper():
        pass


def test_steering(scope: Scope) -> None:
    assert all(map(steers, ("PATH", "LD_PRELOAD", "GIT_SSH_COMMAND", "GIT_PAGER", "NODE_OPTIONS")))
    assert not any(map(steers, ("DEBUG", "MYPATH", "FOO", "PORT")))
    scope.set("PATH", "x")
    assert scope.steered

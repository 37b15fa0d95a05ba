"""Whether one commit comes after another."""

from proctor.git.ancestry import Descent, descent

KNOWN = {"e": ("d", "x"), "d": ("c",), "x": ("b",), "c": ("b",), "r": ()}


def test_what_comes_after() -> None:
    assert descent("b", "e", KNOWN).found
    assert descent("e", "e", {}).found
    assert descent("x", "e", KNOWN).found


def test_what_is_not_known() -> None:
    assert descent("q", "e", KNOWN) == Descent(found=False, open=("b",))
    assert descent("q", "new", {}) == Descent(found=False, open=("new",))


def test_what_does_not() -> None:
    assert descent("q", "r", KNOWN) == Descent(found=False)


def test_a_circle_ends() -> None:
    assert descent("q", "a", {"a": ("b",), "b": ("a",)}) == Descent(found=False)

"""The words of hardening."""

from proctor.postgres.hardening.model import Plan, Step, several


def test_several() -> None:
    assert several(["a"]) == "a"
    assert several(["a", "b", "c"]) == "a, b and c"


def test_a_plan_is_undone_backwards() -> None:
    steps = (Step(what="", sql=("a",), undo=("A", "AA")), Step(what="", sql=("b",), undo=("B",)))
    assert Plan(steps=steps).undo == ("B", "A", "AA")

"""Locations do not tell what was found."""

import time

from proctor.redaction.model import Leaf, Spot
from proctor.redaction.places import hiding


def spot(value: str, start: int = 0) -> Spot:
    return Spot(start, start + len(value), "SECRET", "test:x", 1.0, value)


def test_a_value_in_a_name_is_hidden_wherever_the_name_stands() -> None:
    leaves = [Leaf("my-hunter2", "my-hunter2#name"), Leaf("x", "my-hunter2.a"), Leaf("y", "b")]
    hidden = hiding(leaves, {0: (spot("hunter2", 3),)})
    assert [hidden(leaf.location) for leaf in leaves] == ["my-*#name", "my-*.a", "b"]


def test_the_longest_of_several_is_hidden() -> None:
    leaves = [Leaf("pass", "pass#name"), Leaf("password1", "password1#name")]
    hidden = hiding(leaves, {0: (spot("pass"),), 1: (spot("password1"),)})
    assert hidden("password1.pass.x") == "*.*.x"


def test_what_was_found_in_no_name_hides_nothing() -> None:
    leaves = [Leaf("messages", "messages[0].content")]
    assert hiding(leaves, {0: (spot("messages"),)})("messages[0].content") == "messages[0].content"
    assert hiding(leaves, {})("messages[0]") == "messages[0]"


def test_as_many_names_as_places_cost_no_more_than_their_sum() -> None:
    names = [f"name{number:05}" for number in range(5_000)]
    leaves = [Leaf(name, f"{name}#name") for name in names]
    start = time.process_time()
    hidden = hiding(leaves, {i: (spot(name),) for i, name in enumerate(names)})
    assert {hidden(leaf.location) for leaf in leaves} == {"*#name"}
    assert time.process_time() - start < 1  # one after another it was six

"""How a listener of ours is named."""

import pytest

from proctor.runtime.modes import ProctorMode, doors, open_door
from tests.runtime.test_mitm import StubDoor


def test_the_mode_wants_a_listener_s_name() -> None:
    assert ProctorMode.parse("proctor:claude@[::1]:0").data == "claude"
    with pytest.raises(ValueError, match="no listener's name"):
        ProctorMode.parse("proctor:@127.0.0.1:0")


def test_the_last_door_stands() -> None:
    first, second = StubDoor(1), StubDoor(2)
    open_door("a-name-of-its-own", first)
    open_door("a-name-of-its-own", second)
    assert doors.pop("a-name-of-its-own") is second

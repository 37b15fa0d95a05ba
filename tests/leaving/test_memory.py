"""Runs are forgotten."""

from proctor.leaving.memory import IDLE, LONGEST, PRINCIPALS, Memory


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_run_is_forgotten_when_it_is_idle_and_after_a_day() -> None:
    clock = Clock()
    memory = Memory(clock)
    first = memory.run("alice")
    clock.now += IDLE - 1
    assert memory.run("alice") is first
    clock.now += IDLE + 1
    second = memory.run("alice")
    assert second is not first
    while clock.now < LONGEST + 3 * IDLE:
        clock.now += IDLE / 2
        memory.run("alice")
    assert memory.run("alice") is not second


def test_principals_share_nothing_and_are_not_too_many() -> None:
    clock = Clock()
    memory = Memory(clock)
    first = memory.run("p0")
    for number in range(1, PRINCIPALS + 5):
        clock.now += 0.001
        assert memory.run(f"p{number}") is not first
    assert memory.run("p0") is not first

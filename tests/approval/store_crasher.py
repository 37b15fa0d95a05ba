# ruff: noqa: T201 - standard output is how it says what it found
"""Kills a process that writes to the store, again and again, and looks what is there afterwards.

store_crasher.py FILE KILLS SEED

It forks, so that one start of Python is enough for all of them.
"""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from proctor.approval import lifecycle
from proctor.approval.model import State
from proctor.approval.sqlite import SqliteStore
from tests.approval.samples import NOW, pending, vote


def write(path: Path, say: Callable[[bytes], int]) -> None:
    """Takes one approval after the other from its request to its use, until somebody kills it."""
    store = SqliteStore(path)
    while True:
        name = store.add(pending(digest=str(random.random()))).id  # noqa: S311 - no secret
        say(f"{name} pending\n".encode())
        store.update(name, lambda it: lifecycle.voted(it, vote("bob"), met=True, now=NOW))
        say(f"{name} approved\n".encode())
        store.update(name, lambda it: lifecycle.used(it, NOW))
        say(f"{name} used\n".encode())


def killed_writer(path: Path, lines: int, bytes_more: int) -> list[str]:
    """What a writer said before it was killed, some way after so many lines."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            write(path, lambda line: os.write(into, line))
        finally:
            os._exit(1)
    os.close(into)
    said = b""
    while said.count(b"\n") < lines and (got := os.read(out, 4096)):
        said += got
    # It goes on in the meantime, so the kill meets it anywhere.
    os.urandom(bytes_more)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer failed by itself"
    while got := os.read(out, 4096):
        said += got
    os.close(out)
    return [line for line in said.decode().splitlines(keepends=True) if line.endswith("\n")]


def check(path: Path, acknowledged: dict[str, str]) -> None:
    """Nothing that was said is lost, nothing is doubled, and notes and rows tell the same."""
    order = ["pending", "approved", "used"]
    store = SqliteStore(path)
    notes = store.changes(0, limit=1_000_000)
    told: dict[str, list[str]] = {}
    for change in notes:
        told.setdefault(change.id, []).append(change.state)
    for name, state in acknowledged.items():
        assert order.index(store.get(name).state) >= order.index(state), "lost"
    for item in store.approvals(limit=1_000_000):
        assert told.pop(item.id) == order[: order.index(item.state) + 1], "rows and notes differ"
    assert not told, "notes without a row"
    uses = Counter(change.id for change in notes if change.state == State.USED)
    assert not uses or max(uses.values()) == 1, "used twice"
    with store._read() as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store.close()


def main(path: Path, kills: int, seed: int) -> None:
    """Kill and look."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    acknowledged: dict[str, str] = {}
    for number in range(kills):
        for line in killed_writer(path, chance.randint(0, 12), chance.randint(0, 400_000)):
            name, state = line.split()
            acknowledged[name] = state
        if number % 10 == 9:
            check(path, acknowledged)
    check(path, acknowledged)
    print(len(acknowledged))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

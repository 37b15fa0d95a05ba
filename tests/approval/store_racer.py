# ruff: noqa: T201 - standard output is how it says what it did
"""Races others for the same things in one store, and says what it got.

store_racer.py FILE NAME COUNT, then the ids of approved ones, one on a line of standard input
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Change
from proctor.approval.sqlite import SqliteStore
from tests.approval.samples import NOW, pending, vote

type Step = Callable[[Approval], tuple[Approval, Change]]


def tried(store: SqliteStore, word: str, name: str, step: Step) -> None:
    """Says what came of it."""
    try:
        store.update(name, step)
        print(word, name, "done", flush=True)
    except ApprovalError as error:
        print(word, name, error.code, flush=True)


def main(path: str, name: str, count: int) -> None:
    """Uses each approval, then adds the same actions as everybody and votes for them."""

    def use(found: Approval) -> tuple[Approval, Change]:
        return lifecycle.used(found, NOW)

    def approve(found: Approval) -> tuple[Approval, Change]:
        return lifecycle.voted(found, vote(name), met=bool(found.votes), now=NOW)

    store = SqliteStore(Path(path))
    print("ready", flush=True)
    for one in sys.stdin.readline().split():  # they all begin now
        tried(store, "use", one, use)
    for number in range(count):
        new = pending(digest=f"race{number}")
        found = store.add(new, join=lambda _: True)
        print("join", found.id, "new" if found == new else "joined", flush=True)
        tried(store, "vote", found.id, approve)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

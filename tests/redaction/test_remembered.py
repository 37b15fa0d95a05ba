"""What a process remembers of the vault."""

import pytest

from proctor.redaction import remembered as module
from proctor.redaction.remembered import Entry, Item, Remembered

LETTERS = "bcdfghjklmnpqrst"
OTHERS = "zbcdfghjklmnpqrs"
ITEM: Item = (f"PERSON_{LETTERS}", "PERSON", "Jane Roe")


def put(memory: Remembered, *items: Item, session: str = "s1", now: float = 100.0) -> None:
    memory.used("alice", session, items, now=now, until=now + 50)


def test_what_was_put_is_known_for_a_while() -> None:
    memory = Remembered()
    assert memory.unknown("alice", "s1", [ITEM], 0.0) == [ITEM]
    put(memory, ITEM)
    assert memory.unknown("alice", "s1", [ITEM], 99.0) == []
    assert memory.unknown("alice", "s1", [ITEM], 100.0) == [ITEM]
    assert memory.unknown("alice", "s2", [ITEM], 99.0) == [ITEM]
    assert memory.unknown("bob", "s1", [ITEM], 99.0) == [ITEM]
    assert memory.get("alice", LETTERS) == Entry("PERSON", "Jane Roe", 150.0)
    assert memory.get("bob", LETTERS) is None


def test_another_value_under_the_same_word_is_unknown() -> None:
    memory = Remembered()
    put(memory, ITEM)
    other = (ITEM[0], "PERSON", "Bob")
    assert memory.unknown("alice", "s1", [ITEM, other], 99.0) == [other]


def test_what_was_only_read_counts_as_no_use() -> None:
    memory = Remembered()
    memory.keep("alice", LETTERS, Entry("PERSON", "Jane Roe", 150.0))
    assert memory.get("alice", LETTERS) == Entry("PERSON", "Jane Roe", 150.0)
    assert memory.unknown("alice", "s1", [ITEM], 0.0) == [ITEM]


def test_uses_alone_are_remembered_too() -> None:
    memory = Remembered()
    token = ITEM[0]
    assert memory.untouched("alice", "s1", [token], 0.0) == [token]
    memory.touched("alice", "s1", [token], 100.0)
    assert memory.untouched("alice", "s1", [token, "other"], 99.0) == ["other"]
    assert memory.untouched("alice", "s1", [token], 100.0) == [token]
    assert memory.untouched("alice", "s2", [token], 99.0) == [token]
    # The value is not known by that.
    assert memory.unknown("alice", "s1", [ITEM], 99.0) == [ITEM]
    memory.reconcile(1)
    assert memory.untouched("alice", "s1", [token], 99.0) == [token]


def test_all_goes_when_the_file_has_forgotten_something() -> None:
    memory = Remembered()
    put(memory, ITEM)
    memory.reconcile(0)
    assert memory.get("alice", LETTERS)
    memory.reconcile(1)
    assert memory.get("alice", LETTERS) is None
    assert memory.unknown("alice", "s1", [ITEM], 0.0) == [ITEM]
    put(memory, ITEM)
    memory.reconcile(1)
    assert memory.get("alice", LETTERS)


@pytest.mark.parametrize(("bound", "limit"), [("_ENTRIES", 1), ("_CHARACTERS", 10)])
def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch, bound: str, limit: int) -> None:
    monkeypatch.setattr(module, bound, limit)
    memory = Remembered()
    put(memory, ITEM)
    put(memory, (f"PERSON_{OTHERS}", "PERSON", "Bob"))
    assert memory.get("alice", LETTERS) is None
    assert memory.get("alice", OTHERS)
    # What is not remembered is put again.
    assert memory.unknown("alice", "s1", [ITEM], 0.0) == [ITEM]


def test_a_value_put_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHARACTERS", 10)
    memory = Remembered()
    for moment in range(5):
        put(memory, ITEM, now=100.0 + moment)
    assert memory.get("alice", LETTERS) == Entry("PERSON", "Jane Roe", 154.0)


def test_uses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_USES", 2)
    memory = Remembered()
    for session in ("s1", "s2", "s3"):
        put(memory, ITEM, session=session)
    known = [not memory.unknown("alice", name, [ITEM], 0.0) for name in ("s1", "s2", "s3")]
    assert known == [False, True, True]


def test_values_are_not_shown() -> None:
    assert "Jane" not in repr(Entry("PERSON", "Jane Roe", 1.0))

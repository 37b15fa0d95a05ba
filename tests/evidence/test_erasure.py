"""Orders to erase, and how far each writer has come."""

import json
from pathlib import Path

import pytest

from proctor.audit.store import Store
from proctor.errors import InternalError
from proctor.evidence import erasure
from proctor.evidence.erasure import DONE, Order, Part, Told, told
from proctor.evidence.holds import Subject

ORDER = Order(
    id="er_abcdefgh12345678",
    subject=Subject(session="s"),
    reason="why",
    by="root",
    at="2026-01-01T00:00:00.000000Z",
)
PART = Part(scopes=("w0.1", "w0.2"), files=3, bytes=40, approvals=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path)


def test_what_was_kept_is_read_again(store: Store) -> None:
    assert erasure.orders(store) == []
    erasure.write_order(store, ORDER)
    assert erasure.orders(store) == [ORDER]
    assert erasure.read_part(store, ORDER, "w0") is None
    erasure.write_part(store, ORDER, "w0", PART)
    assert erasure.read_part(store, ORDER, "w0") == PART
    assert erasure.orders(store) == [ORDER]
    assert all(each.stat().st_mode & 0o077 == 0 for each in store.path.rglob("*"))
    erasure.forget_order(store, ORDER)
    assert list((store.path / erasure.FOLDER).iterdir()) == []


def test_a_file_cut_anywhere_is_an_error(store: Store) -> None:
    erasure.write_order(store, ORDER)
    erasure.write_part(store, ORDER, "w0", PART)
    for name, read in (
        (f"{ORDER.id}.json", lambda: erasure.orders(store)),
        (f"{ORDER.id}.w0.json", lambda: erasure.read_part(store, ORDER, "w0")),
    ):
        path = store.path / erasure.FOLDER / name
        data = path.read_bytes()
        for size in range(len(data) - 2):
            path.write_bytes(data[:size])
            with pytest.raises(InternalError) as caught:
                read()
            assert caught.value.code == "erasure-unreadable"
        path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        {"session": None},  # everybody's
        {"id": "er_another123456789"},
        {"principal": 7},
        {"by": None},
    ],
)
def test_an_order_that_is_none(store: Store, change: dict[str, object]) -> None:
    erasure.write_order(store, ORDER)
    path = store.path / erasure.FOLDER / f"{ORDER.id}.json"
    path.write_text(json.dumps({**ORDER.as_json(), **change}))
    with pytest.raises(InternalError):
        erasure.orders(store)


def test_what_the_record_says_of_orders() -> None:
    said = ORDER.as_json()
    other = {**said, "id": "er_87654321hgfedcba"}
    found = told(
        [
            ("erasure", {**said, "writer": None, "scopes": ["w0.1"]}),
            ("erasure", {**said, "writer": None, "scopes": ["w0.2"]}),
            ("erasure", {**said, "writer": "w0", "scopes": ["w0.3"]}),
            ("erasure", {**other, "writer": "w0", "scopes": ["w0.3"]}),  # of nobody's order
            ("erasure", {**said, "id": "../../x", "writer": None}),
            ("erasure", {**said, "at": "yesterday", "writer": None}),
            ("erasure", {**said, "at": "2026-01-01", "writer": None}),
        ]
    )
    assert found == {ORDER.id: Told(order=ORDER, scopes={"w0.1", "w0.2"})}
    assert told([("erasure", {**said, "writer": None}), (DONE, said)])[ORDER.id].done


def test_which_scopes_an_order_means() -> None:
    def name(moment: int) -> str:
        return f"w0.{moment:012x}aabbccddeeff"

    at = 1767225600000  # 2026-01-01
    known = Told(order=ORDER, scopes={name(at + 9)})
    assert known.means(name(at - 1))
    assert not known.means(name(at))
    assert not known.means(name(at + 1))
    assert known.means(name(at + 9))  # the clock went back since it was born
    assert known.renews(name(at))
    assert known.renews(name(at + 9))
    assert not known.renews(name(at + 1))

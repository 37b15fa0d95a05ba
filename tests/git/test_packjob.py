"""What is said to the process that reads packs, and what it says; it runs in test_packs.py."""

from pathlib import Path

import pytest

from proctor.git.packjob import MOST, Setup, answer, length_of, order_json, packed, read_order
from proctor.git.packreading import Order
from proctor.redaction.settings import RedactionSettings
from tests.support.packing import pack, whole


def test_orders_and_answers(tmp_path: Path) -> None:
    order = Order(
        path=tmp_path, bases=(tmp_path,), between=(("", "a"),), secret_paths=("x",), places=tmp_path
    )
    assert read_order(order_json(order)) == order
    assert read_order(order_json(Order(path=tmp_path))) == Order(path=tmp_path)
    assert answer(b"{}", None) == {"broken": "KeyError"}
    assert packed(b"ab") == b"\0" * 7 + b"\2ab"
    assert "k" * 5 not in repr(Setup(RedactionSettings(), None, b"k" * 5))


def test_an_answer_tells_nothing_of_a_pack_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(pack([whole("commit", b"a secret that is no commit")]))
    said = answer(order_json(Order(path=path, detect=False)), None)
    assert said["failed"]["code"] == "git-pack-unreadable"
    assert "secret" not in str(said)


def test_no_message_is_longer_than_any() -> None:
    assert length_of(packed(b"abc")[:8]) == 3
    with pytest.raises(ValueError, match="longer"):
        length_of((MOST + 1).to_bytes(8))

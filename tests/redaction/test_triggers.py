"""Where something may be encoded."""

import base64
import threading

import pytest

from proctor.redaction.triggers import ENOUGH, Kind, ends, present


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"ordinary words, and averylongwordindeed", set()),
        (b"see " + base64.b64encode(b"nine chars"), {Kind.BASE64}),
        (b"see " + base64.b64encode(b"sevench"), {Kind.BASE64}),
        (b"see " + base64.b64encode(b"\x1f\x8b\x08" + b"\xff" * 20), {Kind.BASE64}),
        (b"xH4sI" + b"////////////", set()),
        (b"see " + b"sevench".hex().encode(), {Kind.HEX}),
        (b"see 1f8b08" + b"00" * 10, {Kind.HEX}),
        (b"0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47", {Kind.LIST}),
        (b"a\0b", {Kind.CONTROL}),
        (b"a\t\r\n\f\x1eb", set()),
    ],
)
def test_what_is_there_is_told(data: bytes, kinds: set[Kind]) -> None:
    assert present(data) == kinds


def test_the_places_after_a_start() -> None:
    data = b"41424344454647 and 41424344454647"

    assert ends(Kind.HEX, data, 0) == [14, len(data)]
    assert ends(Kind.HEX, data, 14) == [len(data)]
    assert ends(Kind.HEX, data, 20) == []


def test_so_many_places_at_once() -> None:
    found = ends(Kind.HEX, b"41" * 100, 0)

    assert len(found) == ENOUGH
    assert found == sorted(set(found))


def test_threads_do_not_disturb_each_other() -> None:
    data = (b"nothing " * 50 + base64.b64encode(b"something to be found") + b" ") * 20
    answers: list[object] = []

    def look() -> None:
        answers.extend((present(data), ends(Kind.BASE64, data, 0)[0]) for _ in range(50))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 200
    assert set(answers) == {(frozenset({Kind.BASE64}), 412)}

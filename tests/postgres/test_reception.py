"""Who is here, and where a cancel belongs."""

import asyncio

import pytest

from proctor.errors import ClientError, InternalError
from proctor.postgres.reception import STRANGERS, Reception


class Guest:
    def __init__(self) -> None:
        self.said: list[str] = []

    def evict(self) -> None:
        self.said.append("evict")

    async def drain(self) -> None:
        self.said.append("drain")

    async def cancel(self) -> None:
        self.said.append("cancel")


def test_the_oldest_stranger_makes_room() -> None:
    reception = Reception[Guest](10, unsigned=2)
    first, second, third, signed = (Guest() for _ in range(4))
    reception.came(signed)
    reception.signed_in(signed)
    for guest in (first, second, third):
        reception.came(guest)
    assert [guest.said for guest in (first, second, third, signed)] == [["evict"], [], [], []]
    assert (reception.unsigned, reception.signed) == (2, 1)
    for guest in (first, second, third, signed):
        reception.left(guest)
    assert (reception.unsigned, reception.signed) == (0, 0)


def test_there_are_only_so_many() -> None:
    reception = Reception[Guest](1)
    reception.check()
    reception.signed_in(Guest())
    with pytest.raises(ClientError) as raised:
        reception.check()
    assert raised.value.code == "pg-too-many"


def test_a_cancel_finds_its_connection_by_both() -> None:
    reception = Reception[Guest](10)
    one, other = Guest(), Guest()
    reception.register(7, b"1111", one)
    reception.register(7, b"2222", other)  # of another server

    async def cancels() -> list[bool]:
        keys = ((7, b"2222"), (7, b"3333"), (8, b"1111"), (7, b""), (7, b"2222\0"))
        return [await reception.cancel(pid, secret) for pid, secret in keys]

    assert asyncio.run(cancels()) == [True, False, False, False, False]
    assert (one.said, other.said) == ([], ["cancel"])
    reception.unregister(7, other)
    assert asyncio.run(cancels()) == [False] * 5
    reception.unregister(7, one)
    reception.unregister(7, one)


def test_of_cancels_of_nobody_here_not_too_many_are_handed_on() -> None:
    reception = Reception[Guest](10)
    taken = sum(reception.stranger() for _ in range(50 * STRANGERS))
    assert STRANGERS <= taken < 20 * STRANGERS


def test_in_the_end_all_are_drained() -> None:
    reception = Reception[Guest](10)
    signed, unsigned = Guest(), Guest()
    reception.came(unsigned)
    reception.signed_in(signed)
    asyncio.run(reception.drain())
    assert signed.said == unsigned.said == ["drain"]
    with pytest.raises(InternalError) as raised:
        reception.check()
    assert raised.value.code == "pg-cannot-connect"

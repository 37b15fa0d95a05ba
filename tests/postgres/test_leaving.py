"""What waits for the record, in order and within bounds."""

import asyncio
from asyncio import Future

from proctor.errors import InternalError
from proctor.postgres.leaving import AHEAD, Leaving


class Wires:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.told: list[str] = []

    def to_server(self, data: bytes) -> None:
        self.sent.append(data)

    def pause_client(self) -> None:
        self.told.append("pause")

    def resume_client(self) -> None:
        self.told.append("resume")


def test_it_leaves_in_order_once_it_is_durable() -> None:
    async def run() -> None:
        wires = Wires()
        leaving = Leaving(wires, lambda _: None, lambda: True)
        one, two = Future[None](), Future[None]()
        leaving.put(b"a", one)
        leaving.put(b"b", None)
        leaving.put(b"c", two)
        two.set_result(None)
        await asyncio.sleep(0)
        assert (wires.sent, bool(leaving)) == ([], True)
        one.set_result(None)
        await asyncio.sleep(0)
        assert (wires.sent, bool(leaving)) == ([b"a", b"b", b"c"], False)

    asyncio.run(run())


def test_nothing_more_is_read_while_too_much_waits() -> None:
    async def run() -> None:
        wires, free = Wires(), [True]
        leaving = Leaving(wires, lambda _: None, lambda: free[0])
        durable = Future[None]()
        leaving.put(bytes(AHEAD), durable)
        assert wires.told == []
        leaving.put(b"x", None)
        assert wires.told == ["pause"]
        assert leaving.full
        free[0] = False
        durable.set_result(None)
        await asyncio.sleep(0)
        assert wires.told == ["pause"], "something else holds the client up"
        free[0] = True
        again = Future[None]()
        leaving.put(bytes(AHEAD + 1), again)
        again.set_result(None)
        await asyncio.sleep(0)
        assert wires.told == ["pause", "pause", "resume"]

    asyncio.run(run())


def test_what_could_not_be_recorded_does_not_leave_nor_what_follows() -> None:
    async def run() -> None:
        wires, errors = Wires(), list[BaseException]()
        leaving = Leaving(wires, errors.append, lambda: True)
        durable = Future[None]()
        leaving.put(b"a", durable)
        leaving.put(b"b", None)
        durable.set_exception(InternalError("journal-unwritable", "Full"))
        await asyncio.sleep(0)
        leaving.put(b"c", None)
        assert wires.sent == []
        assert [str(error) for error in errors] == ["Full"]

    asyncio.run(run())


def test_once_it_is_over_nothing_leaves() -> None:
    async def run() -> None:
        wires = Wires()
        leaving = Leaving(wires, lambda _: None, lambda: True)
        durable = Future[None]()
        leaving.put(b"a", durable)
        leaving.stop()
        durable.set_result(None)
        await asyncio.sleep(0)
        assert wires.sent == []

    asyncio.run(run())

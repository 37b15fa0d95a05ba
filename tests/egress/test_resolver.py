"""Names become addresses once, and what was checked is what is dialled."""

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest

from proctor.egress.addresses import parse_network
from proctor.egress.hosts import HostPattern
from proctor.egress.resolver import Resolver, system_lookup
from proctor.errors import RefusedError, UpstreamError

API = HostPattern.parse("api.example.org")


class Names:
    """A resolver's answers by name; each list in turn, the last one for good."""

    def __init__(self, **answers: list[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        found = self.answers.get(host)
        if not found:
            raise OSError(-2, "Name or service not known")
        return found.pop(0) if len(found) > 1 else found[0]


class Slow:
    """Every name but `quick` hangs until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        self.begun.set()
        if host != "quick":
            assert self.go.wait(30)
        return ("1.1.1.1",)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def _refused(resolver: Resolver, host: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await resolver.resolve(host, 443)
    assert caught.value.code == "name-unresolved"
    return caught.value


def test_an_address_is_its_own_answer() -> None:
    names = Names()

    async def run() -> None:
        resolver = Resolver(lookup=names)
        assert await resolver.resolve("127.0.0.1", 80) == ("127.0.0.1",)
        assert await resolver.resolve("::1", 80) == ("::1",)
        resolver.close()

    asyncio.run(run())
    assert names.asked == []


def test_answers_keep_their_order_and_are_bounded() -> None:
    many = [f"10.0.{n // 256}.{n % 256}" for n in range(500)]
    names = Names(a_b=[("2001:DB8::1", "1.1.1.1", "2001:db8::1", "1.1.1.1")], many=[many])

    async def run() -> None:
        resolver = Resolver(lookup=names)
        assert await resolver.resolve("a.b", 443) == ("2001:db8::1", "1.1.1.1")
        assert await resolver.resolve("many", 443) == tuple(many[:32])
        resolver.close()

    asyncio.run(run())


def test_an_answer_is_kept_for_five_seconds_and_its_lack_for_one() -> None:
    names, clock = Names(a_b=[("1.1.1.1",), ("2.2.2.2",)]), Clock()

    async def run() -> None:
        resolver = Resolver(lookup=names, clock=clock)
        assert await resolver.resolve("a.b", 443) == ("1.1.1.1",)
        assert (await _refused(resolver, "none")).status == 502
        clock.now = 0.99
        await _refused(resolver, "none")
        assert names.asked == ["a.b", "none"]
        clock.now = 1.0
        await _refused(resolver, "none")
        assert names.asked == ["a.b", "none", "none"]
        clock.now = 4.99
        assert await resolver.resolve("a.b", 80) == ("1.1.1.1",)
        clock.now = 5.0
        assert await resolver.resolve("a.b", 443) == ("2.2.2.2",)
        resolver.close()

    asyncio.run(run())


def test_what_is_kept_is_bounded_and_the_oldest_goes() -> None:
    names, clock = Names(), Clock()

    async def run() -> None:
        resolver = Resolver(lookup=names, clock=clock)
        for number in range(1024):
            await _refused(resolver, f"n{number}")
        clock.now = 1.0
        await _refused(resolver, "n0")  # asked again, and now the youngest
        assert len(resolver._kept) == 1024
        await _refused(resolver, "new")
        assert len(resolver._kept) == 1024
        assert "n1" not in resolver._kept
        assert {"n0", "n2", "new"} <= set(resolver._kept)
        resolver.close()

    asyncio.run(run())


def test_many_callers_share_one_lookup() -> None:
    slow = Slow()

    async def run() -> None:
        resolver = Resolver(lookup=slow)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(resolver.resolve("slow", 443)) for _ in range(20)]
            await asyncio.sleep(0)
            waiting[0].cancel()  # that one gives up takes nothing from the others
            await asyncio.sleep(0)
            slow.go.set()
        assert waiting[0].cancelled()
        assert {task.result() for task in waiting[1:]} == {("1.1.1.1",)}
        resolver.close()

    asyncio.run(run())
    assert slow.asked == ["slow"]


def test_slow_names_block_nobody_beyond_the_pool() -> None:
    slow = Slow()

    async def run() -> None:
        resolver = Resolver(lookup=slow, threads=2, waiting=1, timeout=0.05)
        try:
            assert (await _refused(resolver, "slow1")).status == 504
            assert await resolver.resolve("quick", 443) == ("1.1.1.1",)  # the other thread
            assert (await _refused(resolver, "slow2")).status == 504
            # Both threads hang. One name waits for them, the next is refused at once.
            assert (await _refused(resolver, "slow3")).status == 504
            assert (await _refused(resolver, "slow4")).status == 503
            assert await resolver.resolve("quick", 443) == ("1.1.1.1",)  # kept
        finally:
            slow.go.set()
        tasks = list(resolver._running.values())
        assert len(tasks) == 3
        await asyncio.gather(*tasks)
        assert await resolver.resolve("slow4", 443) == ("1.1.1.1",)
        assert resolver._running == {}
        resolver.close()

    asyncio.run(run())


def test_who_waits_while_it_closes_is_refused() -> None:
    slow = Slow()

    async def run() -> None:
        resolver = Resolver(lookup=slow, threads=1)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(resolver.resolve("slow", 443))
            queued = group.create_task(_refused(resolver, "queued"))
            assert await asyncio.to_thread(slow.begun.wait, 10)
            resolver.close()
            slow.go.set()
        assert running.result() == ("1.1.1.1",)
        assert queued.result().got == "no answer in time"

    asyncio.run(run())
    assert slow.asked == ["slow"]


@pytest.mark.parametrize("found", [RuntimeError("broken"), ("1.1.1.1", "no address")])
def test_a_broken_lookup_is_no_answer(
    found: RuntimeError | Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    def lookup(*_: object) -> Sequence[str]:
        if isinstance(found, RuntimeError):
            raise found
        return found

    async def run() -> None:
        resolver = Resolver(lookup=lookup)
        for _ in range(2):
            with pytest.raises((RuntimeError, ValueError)):
                await resolver.resolve("a.b", 443)
        assert resolver._running == {}
        assert resolver._kept == {}
        resolver.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "resolver.lookup" in caplog.text


def test_pinned_gives_addresses_that_were_checked() -> None:
    names = Names(api_example_org=[("2606:4700::1111", "1.1.1.1")])

    async def run() -> None:
        resolver = Resolver(lookup=names)
        found = await resolver.pinned("api.example.org", 443, API, ())
        assert found == ("2606:4700::1111", "1.1.1.1")
        resolver.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("found", "kind", "named"),
    [
        (("10.1.2.3",), "private", "10.1.2.3"),
        (("1.1.1.1", "127.0.0.1"), "loopback", "127.0.0.1"),
        (("127.0.0.1", "1.1.1.1"), "loopback", "127.0.0.1"),
        (("1.1.1.1", "::1"), "loopback", "::1"),
        (("1.1.1.1", "::ffff:169.254.169.254"), "metadata", "169.254.169.254"),
        (("64:ff9b::10.1.2.3",), "private", "10.1.2.3"),
        (("2002:7f00:1::",), "transition", "2002:7f00:1::, 127.0.0.1"),
        (("0.0.0.0",), "unspecified", "0.0.0.0"),  # noqa: S104 - judged, not bound
        ([*("1.1.1.1",) * 40, "10.1.2.3"], "", ""),  # beyond what is taken, and never dialled
    ],
)
def test_one_forbidden_address_refuses_the_answer(
    found: Sequence[str], kind: str, named: str
) -> None:
    names = Names(api_example_org=[found])

    async def run() -> None:
        resolver = Resolver(lookup=names)
        try:
            if not kind:
                assert await resolver.pinned("api.example.org", 443, API, ()) == ("1.1.1.1",)
                return
            with pytest.raises(RefusedError) as caught:
                await resolver.pinned("api.example.org", 443, API, ())
            assert caught.value.code == "address-refused"
            assert caught.value.got == kind
            assert f"addresses: [{named}]" in caught.value.hint
            # The hint is true.
            networks = [parse_network(text) for text in named.split(", ")]
            assert await resolver.pinned("api.example.org", 443, API, networks)
        finally:
            resolver.close()

    asyncio.run(run())


def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    names, clock = Names(api_example_org=[("1.1.1.1",), ("169.254.169.254",)]), Clock()

    async def run() -> None:
        resolver = Resolver(lookup=names, clock=clock)
        assert await resolver.pinned("api.example.org", 443, API, ()) == ("1.1.1.1",)
        assert await resolver.pinned("api.example.org", 443, API, ()) == ("1.1.1.1",)
        assert len(names.asked) == 1
        clock.now = 10.0
        with pytest.raises(RefusedError) as caught:
            await resolver.pinned("api.example.org", 443, API, ())
        assert caught.value.got == "metadata"
        assert len(names.asked) == 2
        resolver.close()

    asyncio.run(run())


def test_an_address_as_host_is_checked_too() -> None:
    async def run() -> None:
        resolver = Resolver(lookup=Names())
        wide = HostPattern.parse("*.example.org")
        with pytest.raises(RefusedError, match="loopback"):
            await resolver.pinned("127.0.0.1", 443, wide, ())
        own = HostPattern.parse("127.0.0.1")
        assert await resolver.pinned("127.0.0.1", 443, own, ()) == ("127.0.0.1",)
        resolver.close()

    asyncio.run(run())


def test_the_system_knows_localhost() -> None:
    async def run() -> None:
        resolver = Resolver()
        found = await resolver.pinned("localhost", 443, HostPattern.parse("localhost"), ())
        assert set(found) <= {"127.0.0.1", "::1"}
        resolver.close()

    asyncio.run(run())
    with pytest.raises(UnicodeError):
        system_lookup("é", 443)

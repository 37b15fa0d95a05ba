"""The table of who is called."""

import asyncio

import pytest
from mitmproxy import hooks, options
from mitmproxy.exceptions import AddonHalt
from mitmproxy.master import Master

from proctor.runtime.dispatch import FIRST, dispatch_of, run_foreign
from tests.runtime.test_mitm import StubDoor


class Other:
    def __init__(self, name: str = "other") -> None:
        self.name = name
        self.calls = 0

    def running(self) -> None:
        self.calls += 1


class Nested:
    name = "nested"

    def __init__(self, inner: Other) -> None:
        self.addons = [inner]


def test_the_table_follows_the_chain() -> None:
    async def run() -> None:
        master = Master(options.Options())
        table = dispatch_of(master.addons, StubDoor(0))
        assert dispatch_of(master.addons, table._door) is table
        assert table.plan("running").foreign == ()
        inner, other = Other("inner"), Other()
        master.addons.add(Nested(inner), other)
        assert table.plan("running").foreign == (inner.running, other.running)
        master.addons.remove(other)
        assert table.plan("running").foreign == (inner.running,)

    asyncio.run(run())


def test_our_own_stages_are_not_called_twice() -> None:
    ours = Other("ours")

    class Owner(StubDoor):
        def owns(self, addon: object) -> bool:
            return addon is ours

    async def run() -> None:
        master = Master(options.Options())
        master.addons.add(ours)
        assert dispatch_of(master.addons, Owner(0)).plan("running").foreign == ()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("hook", "first"), [("requestheaders", True), ("request", False), ("response", False)]
)
def test_identity_comes_first_and_all_else_last(hook: str, first: bool) -> None:  # noqa: FBT001 - a parameter
    assert (hook in FIRST) is first


def test_another_addon_that_fails_is_skipped_and_one_that_halts_ends_it() -> None:
    called: list[str] = []

    def fails() -> None:
        called.append("fails")
        raise RuntimeError("theirs")

    async def waits() -> None:
        called.append("waits")

    def halts() -> None:
        raise AddonHalt

    asyncio.run(run_foreign((fails, waits, halts, fails), hooks.RunningHook()))
    assert called == ["fails", "waits"]

"""The table of who is called."""

import asyncio

import pytest
from mitmproxy import hooks, http, options
from mitmproxy.exceptions import AddonHalt
from mitmproxy.master import Master

from proctor.runtime.dispatch import FIRST, dispatch_of, run_foreign
from proctor.runtime.door import Stage
from tests.runtime.test_mitm import GET, StubDoor
from tests.support.live import live
from tests.support.origin import Origin


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


def test_early_stages_come_before_other_addons_and_the_rest_after() -> None:
    calls: list[str] = []

    class Foreign:
        def response(self, _flow: object) -> None:
            calls.append("foreign")

    def call(name: str) -> Stage:
        async def later() -> None:
            await asyncio.sleep(0)
            calls.append(name)

        return lambda _flow: later()

    with Origin() as origin:
        hooked = {"early_response": call("early"), "response": call("ours")}
        door = StubDoor(origin.port, **hooked)
        with live({"a": door}, Foreign()) as proxy:
            proxy.request("a", GET)
        with live({"a": StubDoor(origin.port, **hooked)}) as proxy:
            proxy.request("a", GET)
    assert calls == ["early", "foreign", "ours", "early", "ours"]


def test_what_an_early_stage_refuses_stays_refused() -> None:
    seen: list[bytes] = []

    class Foreign:
        def response(self, flow: http.HTTPFlow) -> None:
            seen.append(flow.response.raw_content or b"" if flow.response else b"")

    def fail(_flow: object) -> None:
        raise RuntimeError("broken on purpose")

    with Origin() as origin:
        door = StubDoor(origin.port, early_response=fail)
        with live({"a": door}, Foreign()) as proxy:
            answer = proxy.request("a", GET)
    assert answer.endswith(b"refused")
    assert seen == [b"refused"]


def test_a_client_gets_what_is_delivered_and_the_flow_keeps_its_own() -> None:
    seen: list[bytes] = []

    class Foreign:
        def response(self, flow: http.HTTPFlow) -> None:
            seen.append(flow.response.raw_content or b"" if flow.response else b"")

    with Origin() as origin:
        door = StubDoor(origin.port)

        def instead(flow: http.HTTPFlow) -> None:
            door.instead[flow.id] = http.Response.make(200, b"only for the client")

        door.hooks["early_response"] = instead
        with live({"a": door}, Foreign()) as proxy:
            answer = proxy.request("a", GET)
    assert answer.endswith(b"\r\n\r\nonly for the client")
    assert seen == [b"ok"]

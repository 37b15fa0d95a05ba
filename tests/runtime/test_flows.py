"""Flows that people hold, kill and edit."""

import asyncio

from mitmproxy.test import tflow

from proctor.runtime.flows import forget_edits, resumed


def test_what_was_there_before_an_edit_is_forgotten() -> None:
    flow = tflow.tflow()
    flow.backup()
    flow.request.content = b"edited"
    assert b"content" in flow.get_state()["backup"]["request"]["content"]
    forget_edits(flow)
    assert flow.get_state()["backup"] is None
    assert not flow.modified()
    flow.revert()
    assert flow.request.content == b"edited"


def test_a_held_flow_goes_on_when_it_is_resumed_or_killed() -> None:
    async def run(end: str) -> None:
        flow = tflow.tflow()
        flow.live = True
        flow.intercept()
        waiting = asyncio.ensure_future(resumed(flow))
        await asyncio.sleep(0)
        assert not waiting.done()
        getattr(flow, end)()
        await asyncio.wait_for(waiting, 30)

    asyncio.run(run("resume"))
    asyncio.run(run("kill"))

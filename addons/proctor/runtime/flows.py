"""Flows that people hold, kill and edit; belongs to mitm.py."""

import asyncio
import contextlib

from mitmproxy import flow

KILL_LOOK = 0.5
"""Seconds between two looks at whether a held flow was killed."""


async def resumed(held: flow.Flow) -> None:
    """Wait while a person holds a flow; mitmproxy itself never wakes one that is killed."""
    while held.intercepted:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(held.wait_for_resume(), KILL_LOOK)


def forget_edits(edited: flow.Flow) -> None:
    """Have a flow not keep what was there before a person's edit: dumps would hold it."""
    edited._backup = None  # noqa: SLF001 - there is no other way

"""What a command itself puts on record, by a writer of its own: gateways may run meanwhile."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence.anchors import Wired
from proctor.evidence.sealer import Sealing
from proctor.settings import Config

ANCHORED = 5.0
"""Seconds that its last checkpoint has to reach its anchors."""


def put_on_record(settings: Config, kind: str, detail: Mapping[str, object]) -> None:
    """Durable when this returns, and anchored where the anchors are there; if not, the log says so.

    Args:
        settings: As loaded.
        kind: The event's.
        detail: What it says.

    Raises:
        ConfigurationError, InternalError: It cannot be recorded.
    """
    asyncio.run(_put(settings, kind, detail))


async def _put(settings: Config, kind: str, detail: Mapping[str, object]) -> None:
    audit = settings.audit
    anchored = Wired(
        audit.anchors,
        Store.at(audit.path).writers,
        every=audit.anchor_every,
        clock=lambda: datetime.now(UTC),
        report=lambda _kind, _detail: None,  # an alarm is in the log, and each later one's
    )
    sealing = Sealing(
        state=settings.state, every=audit.checkpoints.every, published=anchored.anchors.submit
    )
    recorder = await Recorder.open(audit.path, sealing=sealing)
    try:
        try:
            await recorder.event(kind, detail)
        finally:
            await recorder.close()
        await anchored.anchors.finish(ANCHORED)
    finally:
        await anchored.close()

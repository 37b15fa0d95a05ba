"""A house with a listener for WebSockets, an upstream that says everything back, and a judge."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from proctor.model import Allow, Case, Decision
from tests.support import websockets
from tests.support.desks import FakeDesk
from tests.support.live import Live
from tests.support.parts import Rules
from tests.support.screened import screens
from tests.support.stand import Stand, house, listener, running
from tests.support.websockets import Upstream


class Judge(Rules):
    """Denies what a test says."""

    says: Callable[[Case], Decision | None] = lambda _case: None

    def decide(self, case: Case) -> Decision:
        self.cases.append(case)
        found = type(self).says(case)
        return found or Decision(verdict=Allow(rule_id="all"))


@contextlib.contextmanager
def stood(
    folder: Path,
    says: Callable[[Case], Decision | None] = lambda _case: None,
    *,
    allowed: bool = True,
    screened: bool = True,
    desk: FakeDesk | None = None,
    **settings: Any,
) -> Iterator[tuple[Stand, Live, Upstream]]:
    rules = type("Own", (Judge,), {"says": staticmethod(says)})()
    with (
        websockets.upstream() as server,
        screens(folder / "state", listeners=("api",), **settings) as ours,
    ):
        item = listener(server.port, name="api", speaks="http")
        this = house(
            item.model_copy(update={"websocket": allowed}),
            screens=ours if screened else None,
            rules=rules,
            desk=desk,
        )
        with running(this, "api") as proxy:
            yield this, proxy, server


def messages(this: Stand) -> list[dict[str, Any]]:
    return [fields for kind, fields in this.store.appended if kind == "message"]


def ended(this: Stand) -> dict[str, Any]:
    """The end of the one flow, once it is on record."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for kind, fields in list(this.store.appended):
            if kind == "flow.end":
                return fields
        threading.Event().wait(0.01)
    raise AssertionError("the flow has not ended")


def port(proxy: Live) -> int:
    return proxy.ports["api"]

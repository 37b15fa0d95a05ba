"""Who is called for a hook: a table instead of mitmproxy's walk through every addon."""

import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.exceptions import AddonHalt

from proctor.errors import ClientError
from proctor.runtime.door import Door, Stage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is called for a hook.

    Attributes:
        early: Stages that come before other addons, so that these never see what must not pass.
        ours: The other stages.
        foreign: Everybody else's.
        ours_first: Other addons come last.
    """

    early: tuple[Stage, ...]
    ours: tuple[Stage, ...]
    foreign: tuple[Callable[..., Any], ...]
    ours_first: bool


FIRST = frozenset(
    {
        "client_connected",
        "http_connect",
        "requestheaders",
        "server_connect",
        "tls_clienthello",
        "tls_start_client",
        "tls_start_server",
    }
)
"""Hooks in which our stages come before other addons: identity, and what is dialled."""


class Dispatch:
    """Hook name → callables, worked out once and again when the chain changes."""

    def __init__(self, manager: AddonManager, door: Door) -> None:
        self._manager = manager
        self._door = door
        self._plans: dict[str, Plan] = {}
        self._watch("register")
        self._watch("remove")

    def _watch(self, name: str) -> None:
        original = getattr(self._manager, name)

        def changed(addon: Any) -> Any:
            self._plans.clear()
            try:
                return original(addon)
            finally:
                self._plans.clear()

        setattr(self._manager, name, changed)

    def plan(self, hook: str) -> Plan:
        """Who is called for a hook, our stages and everybody else."""
        try:
            return self._plans[hook]
        except KeyError:
            plan = Plan(
                early=self._door.stages(f"early_{hook}"),
                ours=self._door.stages(hook),
                foreign=tuple(self._foreign(hook)),
                ours_first=hook in FIRST,
            )
            self._plans[hook] = plan
            return plan

    def _foreign(self, hook: str) -> Iterator[Callable[..., Any]]:
        for addon in traverse(self._manager.chain):
            if not self._door.owns(addon):
                handler = getattr(addon, hook, None)
                if callable(handler):
                    yield handler


def dispatch_of(manager: AddonManager, door: Door) -> Dispatch:
    """The table of this addon manager, kept on it."""
    table = getattr(manager, "proctor_dispatch", None)
    if table is None or table._door is not door:  # noqa: SLF001 - same file
        table = Dispatch(manager, door)
        manager.proctor_dispatch = table  # type: ignore[attr-defined]  # kept where it belongs
    return cast("Dispatch", table)


async def run_foreign(handlers: tuple[Callable[..., Any], ...], hook: hooks.Hook) -> None:
    """Other people's addons, as mitmproxy runs them: one that raises is logged and skipped."""
    for handler in handlers:
        try:
            result = handler(*hook.args())
            if result is not None and inspect.isawaitable(result):
                await result
        except AddonHalt:
            return
        except Exception:
            logger.exception("another addon failed", extra={"event": "addon.failed"})


def note(stage: Stage, error: BaseException) -> None:
    """Log why a stage has said no; where that is no fault of the client's, all of it."""
    name = getattr(stage, "__qualname__", repr(stage))
    if isinstance(error, ClientError):
        logger.warning("%s", error, extra={"event": "client.refused", "stage": name})
    else:
        text = "a stage failed, so the exchange is refused"
        logger.error(text, exc_info=error, extra={"event": "stage.failed", "stage": name})

"""Commands in mitmproxy and mitmweb by which a person decides what is held.

They decide as whoever signed in with `proctor login` on this account, through the console's API and
by its rules; nobody types a token.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final

from mitmproxy import command, ctx, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT

from proctor.cli.console import Console, Place, find_token
from proctor.errors import ProctorError
from proctor.runtime import marks
from proctor.runtime.tasks import spawn

logger = logging.getLogger(__name__)

# Both free in mitmproxy's own key map, and capitals, so that no slip of the finger decides.
KEYS: Final = (
    ("Y", "proctor.prompt approve @focus", "Approve what this flow waits for"),
    ("N", "proctor.prompt deny @focus", "Deny what this flow waits for"),
)
_CONTEXTS: Final = ("flowlist", "flowview")
_ID: Final = re.compile(r"ap_[a-z]{16}")
_VERBS: Final = ("approve", "deny")


class Commands:
    """`proctor.approve` and `proctor.deny`.

    Args:
        place: The console of this gateway, once it listens.
    """

    name = "proctor_commands"

    def __init__(self, place: Callable[[], Place]) -> None:
        self._place = place

    def load(self, loader: Loader) -> None:
        """Bind the keys where there are any; a person's own bindings come later and win."""
        keymap = getattr(loader.master, "keymap", None)
        if keymap is not None:
            for key, does, words in KEYS:
                keymap.add(key, does, list(_CONTEXTS), words)

    @command.command("proctor.approve")  # type: ignore[untyped-decorator]  # mitmproxy has no types
    def approve(self, held: str, *reason: str) -> None:
        """Approve what a flow, or the approval of this id, waits for."""
        self._decide("approve", named(held), " ".join(reason))

    @command.command("proctor.deny")  # type: ignore[untyped-decorator]  # mitmproxy has no types
    def deny(self, held: str, *reason: str) -> None:
        """Deny what a flow, or the approval of this id, waits for; the agent is told the reason."""
        self._decide("deny", named(held), " ".join(reason))

    @command.command("proctor.prompt")  # type: ignore[untyped-decorator]  # mitmproxy has no types
    def prompt(self, verb: str, held: str) -> None:
        """Ask for a reason before deciding, in mitmproxy's command prompt."""
        if verb not in _VERBS:
            raise exceptions.CommandError(f"expected one of {', '.join(_VERBS)}")
        # The id, not @focus: what is looked at may change while one types.
        ctx.master.commands.call_strings("console.command", [f"proctor.{verb}", named(held)])

    def _decide(self, verb: str, name: str, reason: str) -> None:
        logger.info("asking the console to %s %s", verb, name, extra={"event": "ui.asked"})
        spawn(self._ask(verb, name, reason), name=f"ui.{verb}")

    async def _ask(self, verb: str, name: str, reason: str) -> None:
        try:
            found = await asyncio.to_thread(self._post, verb, name, reason)
        except ProctorError as error:
            logger.error("%s: %s", name, error, extra={"event": "ui.refused", "code": error.code})  # noqa: TRY400 - told, and no fault of ours
            return
        state = str(found.get("state"))
        told = "noted; it still needs somebody else" if state == "pending" else state
        logger.log(ALERT, "%s: %s", name, told, extra={"event": "ui.decided"})

    def _post(self, verb: str, name: str, reason: str) -> Any:
        place = self._place()
        console = Console(place=place, token=find_token(place), agent="ui")
        try:
            return console.post(f"approvals/{name}/{verb}", {"reason": reason})
        finally:
            console.close()


def named(held: str) -> str:
    """The id of the approval that is meant.

    Args:
        held: It, or a flow as mitmproxy's commands name it, such as `@focus`.

    Raises:
        exceptions.CommandError: It waits for nothing, or for several.
    """
    if _ID.fullmatch(held):
        return held
    flows = ctx.master.commands.call_strings("view.flows.resolve", [held])
    waiting = [name for each in flows for name in marks.waiting(each)]
    if not waiting:
        raise exceptions.CommandError("No human is waited for there.")
    if len(waiting) > 1:
        raise exceptions.CommandError(f"Name one of these: {', '.join(waiting[:20])}")
    return waiting[0]

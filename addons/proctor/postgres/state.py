"""What a connection is in the midst of: shared by the side that asks and the side that answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from proctor.postgres.statements import Context, Judged, Judgement, Portal, Prepared, Run
from proctor.protocols.postgres.pipeline import Pipeline
from proctor.sql.statement import Change

MOVING: Final = frozenset(
    {Change.SEARCH_PATH, Change.ROLE, Change.TEMP, Change.CATALOG, Change.UNKNOWN, Change.SETTING}
)
"""Changes after which names may mean something else."""

NAMING: Final = frozenset({Change.PREPARED, Change.CURSOR})
"""Changes of what the connection has under names."""


class Known(Protocol):
    """Says what was said of a text; see `Judging.known`."""

    def __call__(
        self, text: bytes, types: tuple[int, ...] = (), /, *, standard: bool = False
    ) -> Judged | None:
        """What was said, if it still holds."""
        ...


def _nothing(_text: bytes, _types: tuple[int, ...] = (), *, standard: bool = False) -> None:
    """Where nothing was said of anything."""


@dataclass(slots=True, eq=False)
class State:
    """One connection's.

    Attributes:
        pipe: What was sent and not answered.
        prepared: Prepared statements by name, in the client's encoding; SQL's PREPARE makes them
            too.
        portals: By name.
        cursors: What DECLARE has made, by name.
        context: What names mean; None where that has to be asked.
        encoding: Python's name for the client's encoding.
        strings: `standard_conforming_strings`, as the server said it last: with ReadyForQuery.
        moved: Something in the open transaction changed what names mean, and its end may undo it.
        changed: Something in the open transaction changed the catalog.
        known: What was said of texts; there once somebody judges them.
        unsettled: Statements under way after which names may mean something else.
    """

    pipe: Pipeline = field(default_factory=Pipeline)
    prepared: dict[bytes, Prepared] = field(default_factory=dict[bytes, Prepared])
    portals: dict[bytes, Portal] = field(default_factory=dict[bytes, Portal])
    cursors: dict[bytes, Judgement] = field(default_factory=dict[bytes, Judgement])
    context: Context | None = None
    encoding: str = "utf-8"
    strings: bool = True
    moved: bool = False
    changed: bool = False
    unsettled: int = 0
    known: Known = _nothing
    _waiting: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; looked at after everything that the server says."""
        while not holds():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def wake(self) -> None:
        """The server has said something."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def sent(self, run: Run) -> None:
        """A statement goes to the server, or for more of its rows."""
        if run.unsettles:
            return
        changes = run.judgement.changes
        ends = self.moved and Change.TRANSACTION in changes
        run.unsettles = ends or not changes.isdisjoint(MOVING | NAMING | {Change.ENCODING})
        self.unsettled += run.unsettles

    def over(self, run: Run) -> None:
        """A statement that went to the server has ended, well or not. Again is harmless."""
        self.unsettled -= run.unsettles
        run.unsettles = False

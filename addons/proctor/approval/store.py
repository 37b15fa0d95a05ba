"""What a store of approvals has to do. SQLite is the one that is there (`sqlite`).

All methods block and are safe to call from several threads; what several processes do at once is
as if they had done it one after another. A change is durable once the method has returned.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from proctor.approval.model import Approval, Audience, Change, Grant, Kill, State


class Store(Protocol):
    """Approvals, grants and kills, shared by gateways and console.

    All raise ApprovalError `approvals-unavailable` where the store cannot be used.
    """

    def add(
        self, approval: Approval, *, join: Callable[[Approval], bool] | None = None
    ) -> Approval:
        """Keep a new approval, or join one that is there for the same principal and digest.

        Args:
            approval: The new one.
            join: Asked about the ones that are there, the youngest first, in the same transaction:
                the first of which it says yes is returned in place of the new one, which is then
                not kept.
        """
        ...

    def update(self, name: str, change: Callable[[Approval], tuple[Approval, Change]]) -> Approval:
        """Replace an approval by what `change` makes of it, in one transaction, and note it.

        Args:
            name: Its id.
            change: Gets it as it is now; gives what it is to be, and what is noted (its `seq` is
                given by the store). What it raises goes through, and nothing is changed.

        Raises:
            ApprovalError: `approval-unknown`.
        """
        ...

    def update_many(
        self, names: Sequence[str], change: Callable[[Approval], tuple[Approval, Change] | None]
    ) -> list[Approval]:
        """The same for many in one transaction; None changes nothing, unknown ids are skipped."""
        ...

    def get(self, name: str) -> Approval:
        """One approval, or ApprovalError `approval-unknown`."""
        ...

    def approvals(  # noqa: PLR0913 - what it can be searched by
        self,
        *,
        states: Sequence[State] = (),
        principal: str = "",
        shape: str = "",
        session: str = "",
        limit: int = 500,
        before: datetime | None = None,
        audiences: Sequence[Audience] | None = None,
        oldest_first: bool = False,
    ) -> list[Approval]:
        """The approvals that fit, the youngest first; empty arguments fit all.

        With `audiences` only theirs fit, with none of them nothing.
        """
        ...

    def audiences(self, states: Sequence[State] = ()) -> list[Audience]:
        """The audiences of all approvals in these states, each once."""
        ...

    def count(
        self, *, states: Sequence[State] = (), audiences: Sequence[Audience] | None = None
    ) -> int:
        """How many approvals fit."""
        ...

    def unreviewed(
        self, *, audiences: Sequence[Audience] | None = None, limit: int = 500
    ) -> list[Approval]:
        """Those that broke the glass and were looked at by nobody since, the oldest first."""
        ...

    def overdue(self, now: datetime) -> list[str]:
        """Ids of pending and approved ones whose end has come."""
        ...

    def add_grant(self, grant: Grant, change: Change) -> Grant:
        """Keep a grant, and note it."""
        ...

    def update_grant(self, name: str, change: Callable[[Grant], tuple[Grant, Change]]) -> Grant:
        """As `update`; ApprovalError `grant-unknown`."""
        ...

    def grants(self, *, open_at: datetime | None = None, limit: int = 1000) -> list[Grant]:
        """Grants, the youngest first; with `open_at` those that let something pass then."""
        ...

    def add_kill(self, kill: Kill, change: Change) -> Kill:
        """Keep a kill, and note it."""
        ...

    def lift(self, name: str, change: Callable[[Kill], tuple[Kill, Change]]) -> Kill:
        """As `update`; ApprovalError `kill-unknown`."""
        ...

    def kills(self, *, in_force: bool = True, limit: int = 1000) -> list[Kill]:
        """All kills in force, the youngest first; else the youngest `limit` lifted ones, too."""
        ...

    def note(self, change: Change) -> Change:
        """Note something that changes nothing else, such as a reveal."""
        ...

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """What was noted after this number, in order."""
        ...

    def last_change(self) -> int:
        """The number of the last change; 0 if there is none."""
        ...

    def unrecorded(self, before: datetime, limit: int = 1000) -> list[Change]:
        """Changes from before this moment that no process has put on record."""
        ...

    def recorded(self, seqs: Sequence[int]) -> None:
        """These are on record now."""
        ...

    def forget(self, before: datetime) -> int:
        """Forget what is over and ended before this moment; returns how many rows that were."""
        ...

    def version(self) -> int:
        """Another number once any process has changed anything; cheap enough to poll."""
        ...

    def close(self) -> None:
        """Let go of the files. Again is harmless."""
        ...

"""What lies beside the record and goes with an erasure.

That is what held actions and grants showed, messages about them that still wait, the values behind
surrogates, what is usual for somebody at databases, what somebody has used of budgets, and what
has reached their agents, with digests of the values in it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from proctor.approval.notify import outbox
from proctor.approval.sqlite import SqliteStore
from proctor.budgets.file import NAME as BUDGETS
from proctor.budgets.file import forget as forget_used
from proctor.evidence.holds import Subject
from proctor.metfile import NAME as MET
from proctor.metfile import forget as forget_met
from proctor.novelty.file import NAME as HABITS
from proctor.novelty.file import forget
from proctor.provenance.camefile import NAME as CAME
from proctor.provenance.camefile import forget as forget_came

type Runs = Sequence[tuple[str, str]]
"""Principals' keys, each with a session's name, or "" for none."""

type Erase = Callable[[Subject, Runs], Awaitable[tuple[int, int]]]
"""Takes it away: how much went, and how much cannot go yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """All of it.

    Attributes:
        approvals: The store of approvals and grants.
        state: Proctor's own folder, where messages wait.
        clock: The time, UTC.
        values: Forgets the values that a principal's session used; None where none are kept.
        shared: What all processes keep of somebody goes, too: what is usual, used up, or was met.
    """

    approvals: SqliteStore
    state: Path
    clock: Callable[[], datetime]
    values: Callable[[str, str], None] | None = None
    shared: bool = False

    async def erase(self, subject: Subject, runs: Runs) -> tuple[int, int]:
        """Takes away what there is of somebody.

        Raises:
            ApprovalError, ConfigurationError, InternalError, RedactionError, sqlite3.Error: A file
                cannot be used.
        """
        return await asyncio.to_thread(self._erase, subject, runs)

    def _erase(self, subject: Subject, runs: Runs) -> tuple[int, int]:
        whose = (subject.principal, subject.session)
        erased, left = self.approvals.erase(*whose, self.clock())
        left += not outbox.forget(self.state, self.approvals.erased(*whose))
        if self.values is not None:
            for principal, session in runs:
                self.values(principal, session)
        if self.shared and subject.principal and not subject.session:
            forget(self.state / HABITS, subject.principal)
            forget_used(self.state / BUDGETS, subject.principal)
            forget_met(self.state / MET, subject.principal)
            forget_came(self.state / CAME, subject.principal)
        return erased, left


async def nothing(_subject: Subject, _runs: Runs) -> tuple[int, int]:
    """Where nothing is kept beside the record."""
    return 0, 0

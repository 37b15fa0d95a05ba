"""Which answer belongs to which message (PostgreSQL, 54.2.3, 54.2.4 and 54.2.6).

A client may send many messages before it reads the first answer. The server answers in order, each
message with answers of its own kinds, the last of which ends it:

    Parse     1                           Describe  n, or T; t before either
    Bind      2                           Execute   D* and C, I or s; G or H and d* c before C
    Close     3                           Query     T D* C, I, G, H …, until Z
    Sync      Z

After an error in the extended protocol the server throws away what comes until the next Sync, and
answers nothing of it. While it takes data for COPY it throws away Sync and Flush, and ends the
connection at anything else. Where COPY fails, nobody outside knows which Syncs it has read by then
and which it answers yet: see `Pipeline.ask`. Whatever fits none of this means that what we believe
of the connection is wrong, and ends it: an answer taken for another one's would go past its mask.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from proctor.errors import UpstreamError
from proctor.protocols.postgres.messages import Back, Front

ASYNCHRONOUS: Final = frozenset({Back.NOTICE, Back.NOTIFICATION, Back.PARAMETER_STATUS})
"""Messages that come at any time and belong to none (54.2.7)."""

IDLE: Final = b"I"
FAILED: Final = b"E"

_BOTH: Final = frozenset({Front.QUERY, Front.EXECUTE})
_SYNCS: Final = frozenset({Front.SYNC, Front.QUERY})
_FITS: Final = {
    Back.PARSE_COMPLETE: frozenset({Front.PARSE}),
    Back.BIND_COMPLETE: frozenset({Front.BIND}),
    Back.CLOSE_COMPLETE: frozenset({Front.CLOSE}),
    Back.PARAMETER_DESCRIPTION: frozenset({Front.DESCRIBE}),
    Back.ROW_DESCRIPTION: frozenset({Front.DESCRIBE, Front.QUERY}),
    Back.NO_DATA: frozenset({Front.DESCRIBE}),
    Back.DATA_ROW: _BOTH,
    Back.COMMAND_COMPLETE: _BOTH,
    Back.EMPTY_QUERY: _BOTH,
    Back.PORTAL_SUSPENDED: frozenset({Front.EXECUTE}),
    Back.COPY_IN: _BOTH,
    Back.COPY_OUT: _BOTH,
    Back.COPY_DATA: _BOTH,
    Back.COPY_DONE: _BOTH,
    Back.READY: frozenset({Front.SYNC, Front.QUERY}),
}
_ENDS: Final = {
    Front.PARSE: frozenset({Back.PARSE_COMPLETE}),
    Front.BIND: frozenset({Back.BIND_COMPLETE}),
    Front.CLOSE: frozenset({Back.CLOSE_COMPLETE}),
    Front.DESCRIBE: frozenset({Back.ROW_DESCRIPTION, Back.NO_DATA}),
    Front.EXECUTE: frozenset({Back.COMMAND_COMPLETE, Back.EMPTY_QUERY, Back.PORTAL_SUSPENDED}),
    Front.QUERY: frozenset({Back.READY}),
    Front.SYNC: frozenset({Back.READY}),
}


@dataclass(slots=True, eq=False)
class Expected:
    """One message whose answers are to come.

    Attributes:
        kind: Of the message.
        work: What it was about; the session's.
        ours: We sent it, and the client sees none of its answers.
        inserted: Where letters were put into its text, so that places in it have moved.
    """

    kind: int
    work: Any = None
    ours: bool = False
    inserted: tuple[int, ...] = ()


class Pipeline:
    """What was sent and not yet answered.

    Attributes:
        status: Of the transaction, as the last ReadyForQuery said: I, T or E.
        taking: The server takes data for COPY.
        skipping: The server throws away what comes until Sync, and no Sync is on its way.
        open: Something was sent since the last Sync or Query, answered or not: a Sync would end the
            transaction that it may have begun.
    """

    # Syncs that COPY throws away unless it fails before it reads them; and where it has failed,
    # those that may be answered or not.
    _within = 0
    _owed = 0

    def __init__(self) -> None:
        self.status = IDLE
        self.taking = False
        self.skipping = False
        self.open = False
        self._queue: deque[Expected] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def synced(self) -> bool:
        """Whether nothing is under way after the last Sync or Query."""
        return not self._queue or self._queue[-1].kind in _SYNCS

    @property
    def head(self) -> Expected | None:
        """What is answered next."""
        return self._queue[0] if self._queue else None

    @property
    def running(self) -> bool:
        """Whether something that may move data is under way."""
        return any(each.kind in _BOTH for each in self._queue)

    @property
    def theirs(self) -> bool:
        """Whether anything of the client's is to be answered."""
        return any(not each.ours for each in self._queue)

    @property
    def doubtful(self) -> bool:
        """Whether Syncs were sent that a COPY, not known to go on, may have thrown away."""
        return bool(self._owed or (self._within and not self.taking))

    def expects(self, expected: Expected) -> bool:
        """Whether the answer to a message is still to come."""
        return expected in self._queue

    def sent(self, expected: Expected) -> bool:
        """Take note of a message; False: the server would throw it away: it is not to be sent."""
        if expected.kind == Front.SYNC:
            if self.taking:
                self._within += 1
                return True
            self.skipping = False
        elif self.skipping:
            return False
        self.open = expected.kind not in _SYNCS
        self._queue.append(expected)
        return True

    def begun(self, several: Sequence[Expected]) -> None:
        """Take note of all that came in one piece, up to its Sync or Query, as `sent` would.

        Nothing is under way, and the server neither takes data for COPY nor throws anything away.
        """
        self._queue.extend(several)
        self.open = False

    def ask(self) -> None:
        """Take note of three messages of ours that end a doubt: Sync, Close and Sync.

        One ReadyForQuery before CloseComplete is ours; for each Sync of the client's that the
        server has not thrown away there is one more.
        """
        kinds = (Front.SYNC, Front.CLOSE, Front.SYNC)
        self._queue.extend(Expected(kind, ours=True) for kind in kinds)
        self.open = False

    def took(self) -> None:
        """The client has ended the data for COPY."""
        self.taking = False

    def answer(self, kind: int) -> tuple[Expected, bool]:
        """What an answer belongs to, and whether it is its last.

        Raises:
            UpstreamError: Code `pg-out-of-step`.
        """
        head = self._queue[0] if self._queue else None
        if head is None or head.kind not in _FITS.get(kind, ()):
            if kind == Back.READY and self._owed and (head is None or head.kind == Front.CLOSE):
                self._owed -= 1
                self.skipping = False
                return Expected(Front.SYNC), True
            raise _out_of_step(kind, head)
        if kind == Back.COPY_IN:
            self.taking = True
            self._forget_syncs()
        elif kind == Back.COMMAND_COMPLETE:
            self._within = 0
        elif kind == Back.CLOSE_COMPLETE:
            self._owed = 0  # what the client says waits for this, so it is ours
        ended = kind in _ENDS[head.kind]
        if ended:
            self._queue.popleft()
        return head, ended

    def ready(self, status: bytes) -> None:
        """The server is ready for the next query."""
        self.status = status

    def failed(self) -> tuple[Expected | None, list[Expected]]:
        """What an error belongs to, and what is thrown away because of it.

        Returns:
            The message that failed, None for an error out of nothing; and those after it that are
            not answered any more.
        """
        self.taking = False
        self._owed += self._within
        self._within = 0
        if not self._queue:
            return None, []
        head = self._queue[0]
        if head.kind in {Front.QUERY, Front.SYNC}:
            return head, []
        self._queue.popleft()
        thrown: list[Expected] = []
        while self._queue and self._queue[0].kind != Front.SYNC:
            thrown.append(self._queue.popleft())
        self.skipping = not self._queue
        return head, thrown

    def clear(self) -> list[Expected]:
        """All that will not be answered: the connection is over."""
        left = list(self._queue)
        self._queue.clear()
        return left

    def _forget_syncs(self) -> None:
        """Those that are on their way are thrown away, unless COPY fails before it reads them."""
        behind = len(self._queue) - 1
        if all(each.kind == Front.SYNC for each in list(self._queue)[1:]):
            while len(self._queue) > 1:
                self._queue.pop()
            self._within += behind
            self.open = self._queue[0].kind not in _SYNCS


def _out_of_step(kind: int, head: Expected | None) -> UpstreamError:
    return UpstreamError(
        "pg-out-of-step",
        "The server answers something that was not asked, so the connection ends",
        got=f"{chr(kind)!r} for {chr(head.kind)!r}" if head else f"{chr(kind)!r} for nothing",
    )

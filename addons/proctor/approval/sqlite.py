"""The store of approvals in one SQLite file, shared by all processes on a machine.

Every write is a small transaction that takes the file from its first read on (BEGIN IMMEDIATE), so
what several processes do at once is as if they had done it one after another. Reads have their own
connection, and wait for nobody.
"""

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from sqlite3 import Connection
from threading import Lock

from proctor.approval import lifecycle
from proctor.approval.model import (
    Approval,
    ApprovalError,
    Audience,
    Card,
    Change,
    Grant,
    Kill,
    State,
)
from proctor.approval.serial import decode, decode_audience, encode, encode_audience
from proctor.approval.sqlitefile import Database, create, reported

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PIECE = 1000  # rows that are forgotten at a time, so that no request waits long for the file
ERASED = "erased"
"""Title of a card, or pattern of a grant, whose content was taken away."""

_SHOWN = 40  # characters of an unknown id

# States that nothing ever joins are left out: so what is done often stays cheap to ask for.
_JOINED = """SELECT data FROM approvals WHERE principal = ? AND digest = ?
    AND state IN ('pending', 'approved', 'denied', 'expired') ORDER BY n DESC"""
_OVERDUE = """SELECT id FROM approvals INDEXED BY approvals_open
    WHERE state IN ('pending', 'approved') AND expires_at <= ? ORDER BY expires_at"""
# From each audience to the next in the index, however many approvals each has.
_AUDIENCES = """WITH RECURSIVE known(audience) AS (
        SELECT min(audience) FROM approvals WHERE state = :state
        UNION ALL
        SELECT (SELECT min(audience) FROM approvals
            WHERE state = :state AND audience > known.audience)
        FROM known WHERE audience IS NOT NULL
    ) SELECT audience FROM known WHERE audience IS NOT NULL"""
_AMONG = "audience IN (SELECT CAST(value AS BLOB) FROM json_each(?))"
_KILLS = """SELECT data FROM kills WHERE lifted_at IS NULL OR n IN
    (SELECT n FROM kills WHERE lifted_at IS NOT NULL ORDER BY n DESC LIMIT ?) ORDER BY n DESC"""
_FORGET = (
    """DELETE FROM approvals WHERE n IN
        (SELECT n FROM approvals WHERE over AND expires_at < ? LIMIT ?)""",
    "DELETE FROM grants WHERE n IN (SELECT n FROM grants WHERE expires_at < ? LIMIT ?)",
    "DELETE FROM kills WHERE n IN (SELECT n FROM kills WHERE lifted_at < ? LIMIT ?)",
    """DELETE FROM changes WHERE seq IN
        (SELECT seq FROM changes WHERE recorded AND at < ? LIMIT ?)""",
)


class SqliteStore:
    """Implements `approval.store.Store`. Any thread may call it.

    What a caller hands in to be called back runs inside a transaction, and must not call the store.

    Args:
        path: The file; made if it is missing, its folder, too.
        wait: How long another process may keep the file locked, seconds.

    Raises:
        ApprovalError: `approvals-unavailable`: it cannot be made or opened, is damaged, or of a
            newer version.
        ConfigurationError: `open-to-others`: others can get at the file or its folder.
    """

    def __init__(self, path: Path, *, wait: float = 5.0) -> None:
        create(path)
        self._writer = Database(path, wait)
        try:
            self._reader = Database(path, wait)
        except BaseException:
            self._writer.close()
            raise
        self._writing, self._reading = Lock(), Lock()

    def add(
        self, approval: Approval, *, join: Callable[[Approval], bool] | None = None
    ) -> Approval:
        """As in Store; neither cancelled nor used ones are ever joined."""
        asking = approval.asking
        key = (_raw(asking.principal), _raw(asking.digest))
        with self._write() as database:
            if join is not None:
                for (data,) in database.execute(_JOINED, key):
                    if join(found := decode(Approval, data)):
                        return found
            database.execute(
                "INSERT INTO approvals (id, principal, digest, shape, session, requested_at,"
                " audience, state, expires_at, over, unreviewed, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    approval.id,
                    *key,
                    _raw(asking.shape),
                    _raw(asking.session or ""),
                    _moment(approval.requested_at),
                    encode_audience(asking.audience),
                    *_columns(approval),
                ),
            )
            _note(database, lifecycle.noted(approval))
        return approval

    def update(self, name: str, change: Callable[[Approval], tuple[Approval, Change]]) -> Approval:
        """As in Store."""
        with self._write() as database:
            found, note = change(_one(database, Approval, name))
            _replace(database, found)
            _note(database, note)
        return found

    def update_many(
        self, names: Sequence[str], change: Callable[[Approval], tuple[Approval, Change] | None]
    ) -> list[Approval]:
        """As in Store."""
        changed = []
        with self._write() as database:
            for name in names:
                found = _find(database, Approval, name)
                if found is not None and (result := change(found)):
                    _replace(database, result[0])
                    _note(database, result[1])
                    changed.append(result[0])
        return changed

    def get(self, name: str) -> Approval:
        """As in Store."""
        with self._read() as database:
            return _one(database, Approval, name)

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
        """As in Store."""
        wanted = {"principal": principal, "shape": shape, "session": session}
        tests: dict[str, bytes | str | int | None] = {
            f"{name} = ?": _raw(value) for name, value in wanted.items() if value
        }
        if before is not None:
            tests["requested_at < ?"] = _moment(before)
        if audiences is not None:
            tests[f"+{_AMONG}"] = _names(audiences)  # `+`: it is no reason to leave the order
        order = "ASC" if oldest_first else "DESC"
        # One state at a time is the order of an index, so that only what is asked for is read.
        query = f"""SELECT requested_at, n, data FROM approvals
            WHERE {" AND ".join(("state = ?", *tests))}
            ORDER BY requested_at {order}, n {order} LIMIT ?"""  # noqa: S608 - our own words
        with self._read() as database:
            each = [
                database.execute(query, (state.value, *tests.values(), limit))
                for state in set(states or State)
            ]
            merged = heapq.merge(*each, key=lambda row: row[:2], reverse=not oldest_first)
            rows = list(islice(merged, limit))
        return [decode(Approval, data) for _, _, data in rows]

    def audiences(self, states: Sequence[State] = ()) -> list[Audience]:
        """As in Store."""
        found = set[bytes]()
        with self._read() as database:
            for state in set(states or State):
                rows = database.execute(_AUDIENCES, {"state": state.value})
                found.update(audience for (audience,) in rows)
        return [decode_audience(audience) for audience in found]

    def count(
        self, *, states: Sequence[State] = (), audiences: Sequence[Audience] | None = None
    ) -> int:
        """As in Store."""
        test, values = _of(audiences)
        query = f"SELECT count(*) FROM approvals WHERE state = ? AND {test}"  # noqa: S608 - our own
        with self._read() as database:
            return sum(
                database.execute(query, (state.value, *values)).fetchone()[0]
                for state in set(states or State)
            )

    def unreviewed(
        self, *, audiences: Sequence[Audience] | None = None, limit: int = 500
    ) -> list[Approval]:
        """As in Store."""
        test, values = _of(audiences)
        query = f"""SELECT data FROM approvals WHERE unreviewed AND {test}
            ORDER BY requested_at, n LIMIT ?"""  # noqa: S608 - our own words
        with self._read() as database:
            rows = database.execute(query, (*values, limit)).fetchall()
        return [decode(Approval, data) for (data,) in rows]

    def overdue(self, now: datetime) -> list[str]:
        """As in Store, the longest overdue first."""
        with self._read() as database:
            return [name for (name,) in database.execute(_OVERDUE, (_moment(now),))]

    def add_grant(self, grant: Grant, change: Change) -> Grant:
        """As in Store."""
        with self._write() as database:
            database.execute(
                "INSERT INTO grants (id, expires_at, over, data) VALUES (?, ?, ?, ?)",
                (grant.id, _moment(grant.expires_at), _is_over(grant), encode(grant)),
            )
            _note(database, change)
        return grant

    def update_grant(self, name: str, change: Callable[[Grant], tuple[Grant, Change]]) -> Grant:
        """As in Store."""
        with self._write() as database:
            found, note = change(_one(database, Grant, name))
            database.execute(
                "UPDATE grants SET expires_at = ?, over = ?, data = ? WHERE id = ?",
                (_moment(found.expires_at), _is_over(found), encode(found), name),
            )
            _note(database, note)
        return found

    def grants(self, *, open_at: datetime | None = None, limit: int = 1000) -> list[Grant]:
        """As in Store."""
        tests, values = "1", []
        if open_at is not None:
            tests, values = "NOT over AND expires_at > ?", [_moment(open_at)]
        query = f"SELECT data FROM grants WHERE {tests} ORDER BY n DESC LIMIT ?"  # noqa: S608
        with self._read() as database:
            rows = database.execute(query, (*values, limit)).fetchall()
        return [decode(Grant, data) for (data,) in rows]

    def add_kill(self, kill: Kill, change: Change) -> Kill:
        """As in Store."""
        with self._write() as database:
            database.execute(
                "INSERT INTO kills (id, lifted_at, data) VALUES (?, ?, ?)",
                (kill.id, _moment(kill.lifted_at), encode(kill)),
            )
            _note(database, change)
        return kill

    def lift(self, name: str, change: Callable[[Kill], tuple[Kill, Change]]) -> Kill:
        """As in Store."""
        with self._write() as database:
            found, note = change(_one(database, Kill, name))
            database.execute(
                "UPDATE kills SET lifted_at = ?, data = ? WHERE id = ?",
                (_moment(found.lifted_at), encode(found), name),
            )
            _note(database, note)
        return found

    def kills(self, *, in_force: bool = True, limit: int = 1000) -> list[Kill]:
        """As in Store."""
        with self._read() as database:
            rows = database.execute(_KILLS, (0 if in_force else limit,)).fetchall()
        return [decode(Kill, data) for (data,) in rows]

    def note(self, change: Change) -> Change:
        """As in Store."""
        with self._write() as database:
            return _note(database, change)

    def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """As in Store."""
        return self._changes("seq > ?", after, limit)

    def last_change(self) -> int:
        """As in Store; still there once the change itself is forgotten."""
        with self._read() as database:
            row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")
            return int(*(row.fetchone() or (0,)))

    def unrecorded(self, before: datetime, limit: int = 1000) -> list[Change]:
        """As in Store."""
        return self._changes("NOT recorded AND at < ?", _moment(before), limit)

    def recorded(self, seqs: Sequence[int]) -> None:
        """As in Store."""
        with self._write() as database:
            database.executemany(
                "UPDATE changes SET recorded = 1 WHERE seq = ?", [(seq,) for seq in seqs]
            )

    def forget(self, before: datetime) -> int:
        """As in Store, some rows at a time."""
        total = 0
        for query in _FORGET:
            taken = 1
            while taken:
                with self._write() as database:
                    taken = database.execute(query, (_moment(before), _PIECE)).rowcount
                total += taken
        return total

    def erase(self, principal: str | None, session: str | None, now: datetime) -> tuple[int, int]:
        """Takes away what was shown of held actions and granted; who decided what, and when, stays.

        Args:
            principal: `Principal.key` of whoever asked, or None for anybody.
            session: The client's own name for its run, or None for any.
            now: A grant that lets nothing pass any more by then goes, too.

        Returns:
            How many were erased, and how many cannot be yet: people still decide about them, a
            grant is in force, or another process reads the file just now.

        Raises:
            ApprovalError: `approvals-unavailable`.
        """
        erased = left = 0
        with self._write() as database:
            approvals, grants = _whose(database, principal, session)
            for found in approvals:
                if found.state in lifecycle.OPEN:
                    left += 1
                elif found.asking.card.title != ERASED:
                    _replace(database, _blank(found))
                    database.execute("UPDATE approvals SET shape = ? WHERE id = ?", (b"", found.id))
                    erased += 1
            for grant in grants:
                if grant.open(now):
                    left += 1
                elif grant.pattern != ERASED:
                    blank = replace(grant, pattern=ERASED, reason="")
                    database.execute(
                        "UPDATE grants SET data = ? WHERE id = ?", (encode(blank), grant.id)
                    )
                    erased += 1
        with self._writing, reported("The store of approvals cannot be written"):
            # What was overwritten stands in the write-ahead log until that is done with.
            row = self._writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return erased, left + int(row[0])

    def erased(self, principal: str | None, session: str | None) -> list[str]:
        """Ids of somebody's approvals and grants of which nothing is shown any more.

        Args:
            principal: As for `erase`.
            session: As for `erase`.

        Raises:
            ApprovalError: `approvals-unavailable`.
        """
        with self._read() as database:
            approvals, grants = _whose(database, principal, session)
        return [
            *(each.id for each in approvals if each.asking.card.title == ERASED),
            *(each.id for each in grants if each.pattern == ERASED),
        ]

    def version(self) -> int:
        """As in Store: SQLite counts what connections other than the reading one commit."""
        with self._read() as database:
            (found,) = database.execute("PRAGMA data_version").fetchone()
        return int(found)

    def close(self) -> None:
        """As in Store."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    def _changes(self, test: str, value: int | None, limit: int) -> list[Change]:
        query = f"SELECT seq, data FROM changes WHERE {test} ORDER BY seq LIMIT ?"  # noqa: S608
        with self._read() as database:
            rows = database.execute(query, (value, limit)).fetchall()
        return [replace(decode(Change, data), seq=seq) for seq, data in rows]

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._writing, self._writer.writing() as database:
            yield database

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._reading, self._reader.reading() as database:
            yield database


def _find[T: Approval | Grant | Kill](database: Connection, kind: type[T], name: str) -> T | None:
    if not name.isascii():  # SQLite would not take what is no well-formed Unicode
        return None
    query = f"SELECT data FROM {kind.__name__.lower()}s WHERE id = ?"  # noqa: S608 - one of three
    row = database.execute(query, (name,)).fetchone()
    return None if row is None else decode(kind, row[0])


def _one[T: Approval | Grant | Kill](database: Connection, kind: type[T], name: str) -> T:
    found = _find(database, kind, name)
    if found is None:
        word = kind.__name__.lower()
        raise ApprovalError(
            code=f"{word}-unknown",
            message=f"There is no such {word}",
            got=ascii(name[:_SHOWN]),
            expected="the id of one that is in the store; what is long over is forgotten",
            status=404,
        )
    return found


def _replace(database: Connection, approval: Approval) -> None:
    database.execute(
        "UPDATE approvals SET state = ?, expires_at = ?, over = ?, unreviewed = ?, data = ?"
        " WHERE id = ?",
        (*_columns(approval), approval.id),
    )


def _whose(
    database: Connection, principal: str | None, session: str | None
) -> tuple[list[Approval], list[Grant]]:
    """Somebody's approvals, and the grants that came of them or are this principal's."""
    both = (("principal", principal), ("session", session))
    tests = [(name, _raw(value)) for name, value in both if value is not None]
    where = " AND ".join(f"{name} = ?" for name, _ in tests) or "0"
    rows = database.execute(
        f"SELECT data FROM approvals WHERE {where}",  # noqa: S608 - names of columns
        [value for _, value in tests],
    ).fetchall()
    approvals = [decode(Approval, data) for (data,) in rows]
    names = {each.id for each in approvals}
    every = (decode(Grant, data) for (data,) in database.execute("SELECT data FROM grants"))
    grants = [
        each
        for each in every
        if each.approval_id in names
        or (session is None and principal is not None and each.principal == principal)
    ]
    return approvals, grants


def _blank(approval: Approval) -> Approval:
    asking = replace(
        approval.asking,
        target="",
        shape="",
        pattern="",
        prompt="",
        reason="",
        card=Card(title=ERASED, summary=""),
        sealed=b"",
    )
    return replace(approval, asking=asking)


def _columns(approval: Approval) -> tuple[str, int | None, bool, bool, bytes]:
    """`state`, `expires_at`, `over`, `unreviewed` and `data`."""
    over = approval.state not in lifecycle.OPEN and not approval.unreviewed
    end = _moment(approval.expires_at)
    return approval.state.value, end, over, approval.unreviewed, encode(approval)


def _of(audiences: Sequence[Audience] | None) -> tuple[str, tuple[str, ...]]:
    return ("1", ()) if audiences is None else (_AMONG, (_names(audiences),))


def _names(audiences: Sequence[Audience]) -> str:
    return json.dumps([encode_audience(each).decode() for each in audiences])


def _is_over(grant: Grant) -> bool:
    return grant.revoked_at is not None or (grant.uses is not None and grant.used >= grant.uses)


def _note(database: Connection, change: Change) -> Change:
    row = database.execute(
        "INSERT INTO changes (at, recorded, data) VALUES (?, 0, ?)",
        (_moment(change.at), encode(change)),
    )
    return replace(change, seq=row.lastrowid or 0)


def _moment(value: datetime | None) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

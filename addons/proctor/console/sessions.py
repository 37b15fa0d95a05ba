"""Who is signed in, in a file that the gateways of one machine share.

Only the SHA-256 of a session's name is kept, so that who reads the file is nobody. A session ends
with the sign-in it came of: `console.max_age` after the issuer last saw its person.

The same file holds what is good once and for a short time: sign-ins under way, and the codes that
the command line trades for its token.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from proctor.approval.model import ApprovalError, Reviewer, Via
from proctor.approval.settings import RolesSettings
from proctor.identity.local import LOCAL
from proctor.runtime.permissions import check_private, make_folder, write_new
from proctor.settings import ConsoleSettings

FILE = "console.db"
"""Name of the file in the folder `state`."""

PREFIX = "pct_"
"""What the command line's tokens begin with."""

_BITS = 32  # bytes of randomness in a name
_BUSY = 5.0
_PEOPLE = 5000
_EACH = 20
_ONCE = 5000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    hash BLOB PRIMARY KEY, via TEXT NOT NULL, issuer TEXT NOT NULL, subject TEXT NOT NULL,
    human TEXT, name TEXT NOT NULL, groups TEXT NOT NULL, signed_in_at REAL NOT NULL,
    began_at REAL NOT NULL, seen_at REAL NOT NULL, ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_person ON sessions (issuer, subject, began_at);
CREATE TABLE IF NOT EXISTS once (
    hash BLOB PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, ends_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS once_end ON once (ends_at);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in that still holds.

    Attributes:
        reviewer: Who.
        ends_at: When it ends, whatever its person does.
    """

    reviewer: Reviewer
    ends_at: datetime


class Sessions:
    """Sessions and one-time values. All methods block; safe to call from several threads."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        folder: Path,
        settings: ConsoleSettings,
        roles: RolesSettings,
        *,
        issuer: str | None,
        clock: Callable[[], datetime],
        dev: bool = False,
    ) -> None:
        """Open the file, and make it if it is not there.

        Args:
            folder: proctor's own, 0700.
            settings: How long sessions last.
            roles: Who may do what; read anew at every look.
            issuer: The issuer people sign in with, whose `sub` Slack's users are mapped to.
            clock: The time, UTC.
            dev: Sign-ins by the local issuer count; they do not outlive `--dev`.

        Raises:
            ConfigurationError: Others can read or write it.
            ApprovalError: `approvals-unavailable`: it cannot be used.
        """
        self._settings = settings
        self._roles = roles
        self._issuer = issuer
        self._known = ({issuer} - {None, LOCAL}) | ({LOCAL} if dev else set())
        self._clock = clock
        self._lock = threading.Lock()
        path = folder / FILE
        make_folder(folder)
        with suppress(FileExistsError):
            write_new(path, b"")
        check_private(path, "the console's sessions")
        with _usable():
            self._db = sqlite3.connect(
                path, timeout=_BUSY, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.executescript(_SCHEMA)
            except BaseException:
                self._db.close()
                raise

    def open(self, reviewer: Reviewer) -> str:
        """Keep a new session.

        Args:
            reviewer: Who signed in; `via` says where it may be used.

        Returns:
            Its name: the only way to it, and kept nowhere here.
        """
        now = self._now()
        raw = secrets.token_urlsafe(_BITS)
        raw = PREFIX + raw if reviewer.via is Via.CLI else raw
        ends_at = reviewer.signed_in_at.timestamp() + self._settings.max_age
        person = (reviewer.issuer, reviewer.subject)
        with self._transaction() as db:
            db.execute("DELETE FROM sessions WHERE ends_at <= ?", (now,))
            db.execute(
                "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE issuer = ?"
                " AND subject = ? ORDER BY began_at DESC LIMIT -1 OFFSET ?)",
                (*person, _EACH - 1),
            )
            db.execute(
                "DELETE FROM sessions WHERE hash IN"
                " (SELECT hash FROM sessions ORDER BY began_at DESC LIMIT -1 OFFSET ?)",
                (_PEOPLE - 1,),
            )
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    _hash(raw),
                    reviewer.via.value,
                    *person,
                    reviewer.human,
                    reviewer.name,
                    json.dumps(reviewer.groups),
                    reviewer.signed_in_at.timestamp(),
                    now,
                    now,
                    ends_at,
                ),
            )
        return raw

    def find(self, raw: str, via: Via, *, click: bool = True) -> Session | None:
        """The session of this name, if it holds and is of this kind.

        Args:
            raw: Its name.
            via: CONSOLE, which ends when nobody clicks, or CLI, which does not.
            click: Whether the look counts as a click.
        """
        now = self._now()
        with self._reading() as db:
            row = db.execute(
                "SELECT * FROM sessions WHERE hash = ? AND via = ? AND ends_at > ?",
                (_hash(raw), via.value, now),
            ).fetchone()
            if row is None:
                return None
            seen_at = row[9]
            if via is Via.CONSOLE and now - seen_at > self._settings.idle:
                return None
            if click and now - seen_at > min(60.0, self._settings.idle / 10):
                db.execute("UPDATE sessions SET seen_at = ? WHERE hash = ?", (now, row[0]))
        return self._session(row)

    def reviewer_of_subject(self, subject: str, via: Via = Via.SLACK) -> Reviewer | None:
        """The person of this `sub` at `console.issuer`, if they are signed in to the console now.

        Args:
            subject: `sub`.
            via: How their decision comes.
        """
        now = self._now()
        with self._reading() as db:
            row = db.execute(
                "SELECT * FROM sessions WHERE issuer = ? AND subject = ? AND via = ?"
                " AND ends_at > ? AND seen_at >= ? ORDER BY began_at DESC",
                (self._issuer, subject, Via.CONSOLE.value, now, now - self._settings.idle),
            ).fetchone()
        found = None if row is None else self._session(row, via)
        return None if found is None else found.reviewer

    def end(self, raw: str) -> bool:
        """End a session; whether there was one."""
        with self._transaction() as db:
            return db.execute("DELETE FROM sessions WHERE hash = ?", (_hash(raw),)).rowcount > 0

    def put(self, kind: str, value: Mapping[str, Any], *, seconds: float, raw: str = "") -> str:
        """Keep a value that is good once.

        Args:
            kind: What it is.
            value: As JSON; nothing of it leads to a session.
            seconds: How long.
            raw: Its name, random; empty for a new one.

        Returns:
            Its name.
        """
        now = self._now()
        raw = raw or secrets.token_urlsafe(_BITS)
        with self._transaction() as db:
            db.execute("DELETE FROM once WHERE ends_at <= ?", (now,))
            # Whoever floods this drops the oldest of what is under way, and fills no disk.
            db.execute(
                "DELETE FROM once WHERE hash IN"
                " (SELECT hash FROM once ORDER BY ends_at DESC LIMIT -1 OFFSET ?)",
                (_ONCE - 1,),
            )
            db.execute(
                "INSERT INTO once VALUES (?, ?, ?, ?)",
                (_hash(raw), kind, json.dumps(value), now + seconds),
            )
        return raw

    def take(self, kind: str, raw: str) -> dict[str, Any] | None:
        """The value of this name, which is gone then; None if it is not there (any more)."""
        with self._transaction() as db:
            row = db.execute(
                "DELETE FROM once WHERE hash = ? AND kind = ? RETURNING value, ends_at",
                (_hash(raw), kind),
            ).fetchone()
        if row is None or row[1] <= self._now():
            return None
        value: dict[str, Any] = json.loads(row[0])
        return value

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        with self._lock:
            self._db.close()

    def _session(self, row: tuple[Any, ...], via: Via | None = None) -> Session | None:
        _, kept, issuer, subject, human, name, groups, signed_in_at, _, _, ends_at = row
        if issuer not in self._known:
            return None  # it came of another configuration, or of `--dev`
        named = tuple(json.loads(groups))
        # `max_age` may be shorter now than it was when this was kept.
        last = min(ends_at, signed_in_at + self._settings.max_age)
        if last <= self._now():
            return None
        return Session(
            reviewer=Reviewer(
                issuer=issuer,
                subject=subject,
                human=human,
                name=name,
                groups=named,
                roles=self._roles.of(named),
                signed_in_at=datetime.fromtimestamp(signed_in_at, UTC),
                via=via or Via(kept),
            ),
            ends_at=datetime.fromtimestamp(last, UTC),
        )

    def _now(self) -> float:
        return self._clock().timestamp()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _usable():
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _usable():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _hash(raw: str) -> bytes:
    return sha256(raw.encode(errors="surrogatepass")).digest()


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ApprovalError(
            code="approvals-unavailable",
            message="The console's sessions cannot be read or written",
            got=type(error).__name__,
            hint="See that the disk is not full and that the folder `state` is proctor's own.",
            status=503,
        ) from None

"""What surrogates stand for, encrypted, in one SQLite file that all processes share.

Neither principals, sessions, surrogates nor values stand in the file, only keyed names and sealed
text; a sealed text opens only under the principal and the surrogate it was sealed for.

What a request puts here is durable before the request leaves. In WAL mode `synchronous=NORMAL` is
enough for that: a process that dies loses nothing, and a power cut may lose the last rows, but
damages none. What is lost that way comes back when the client sends its history again, since a
surrogate is no random word.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proctor.redaction.keys import RedactionKeys
from proctor.redaction.remembered import Entry, Item, Remembered
from proctor.redaction.surrogates import SIZE, mac
from proctor.redaction.vaultfile import MADE, failure, transaction

__all__ = ["FILE", "MAX_VALUE", "Entry", "Item", "Vault"]

FILE = "vault.db"
"""Name of the file in the folder `state`."""

MAX_VALUE = 64 * 1024
"""Longest value it takes, bytes of UTF-8."""

RETENTION = 30 * 86400.0
MAX_ENTRIES = 1_000_000

_MAX_BYTES = 2**30
_NONCE = 12  # bytes, NIST SP 800-38D, 8.2; random, far fewer than 2^32 under one key
_FRESH = 3600.0

_USE = """INSERT INTO uses VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)"""
# Some uses at a time; their entries follow by trigger.
_TAKE_OLD = """DELETE FROM uses WHERE (name, session) IN
    (SELECT name, session FROM uses WHERE until < ? ORDER BY until LIMIT 1000)"""
_TAKE_SESSION = """DELETE FROM uses WHERE (name, session) IN
    (SELECT name, session FROM uses WHERE session = ? LIMIT 1000)"""


class Vault:
    """Keeps values for their surrogates. Any thread may call it.

    Args:
        path: The file; made if it is missing, its folder must be there.
        keys: Of the installation.
        retention: How long an entry lives after a session's last use of it, seconds.
        max_entries: Of the installation, each counted once for every session that uses it; past
            it, those unused longest go.
        clock: Seconds since the epoch.
        wait: How long another process may keep the file locked, seconds.

    Raises:
        ConfigurationError: `open-to-others`, or `vault-unusable`.
    """

    def __init__(  # noqa: PLR0913 - bounds, each with its default
        self,
        path: Path,
        keys: RedactionKeys,
        *,
        retention: float = RETENTION,
        max_entries: int = MAX_ENTRIES,
        clock: Callable[[], float] = time.time,
        wait: float = 1.0,
    ) -> None:
        self._index = keys.index
        self._cipher = AESGCM(keys.vault)
        self._retention = retention
        self._max_entries = max_entries
        self._clock = clock
        self._fresh = min(_FRESH, retention / 10)
        MADE.create(path)
        # Readers do not wait for writers in WAL mode, as long as each has its own connection.
        self._writer, self._reader = MADE.connect(path, wait), MADE.connect(path, wait)
        self._writing, self._reading = Lock(), Lock()
        self._remembered = Remembered()

    def put_many(self, principal: str, session: str, items: Sequence[Item]) -> None:
        """Keep values; they are durable when this returns. What was put lately costs little.

        Args:
            principal: `Principal.key`.
            session: The session that uses them; "" where there is none.
            items: What to keep.

        Raises:
            RedactionError: `redaction-vault`: nothing of the exchange may leave.
        """
        self._reconcile()
        now = self._clock()
        new = self._remembered.unknown(principal, session, items, now - self._fresh)
        if not new:
            return
        until = now + self._retention
        user = mac(self._index, "session", principal, session)
        with self._writing, transaction(self._writer):
            for item in new:
                self._writer.execute(_USE, (self._put(principal, item), user, until))
            self._make_room(until)
        self._remembered.used(principal, session, new, now=now, until=until)

    def touch(self, principal: str, session: str, tokens: Sequence[str]) -> bool:
        """Keep what is there for a session that uses it once more, without its values.

        Args:
            principal: `Principal.key`.
            session: The session that uses them; "" where there is none.
            tokens: Surrogates that were put before.

        Returns:
            False where some are gone: their values have to be put again.

        Raises:
            RedactionError: `redaction-vault`.
        """
        self._reconcile()
        now = self._clock()
        old = self._remembered.untouched(principal, session, tokens, now - self._fresh)
        if not old:
            return True
        until = now + self._retention
        user = mac(self._index, "session", principal, session)
        names = [self._name(principal, token[-SIZE:]) for token in old]
        with self._writing, transaction(self._writer):
            for name in names:
                found = self._writer.execute("SELECT 1 FROM entries WHERE name = ?", (name,))
                if found.fetchone() is None:
                    return False
                self._writer.execute(_USE, (name, user, until))
            self._make_room(until)
        self._remembered.touched(principal, session, old, now)
        return True

    def get(self, principal: str, letters: str) -> Entry | None:
        """What a surrogate stands for, if it is this principal's and not forgotten.

        Args:
            principal: `Principal.key`.
            letters: The last 16 of the surrogate; a surrogate of the entry has the entry's type
                before them.

        Raises:
            RedactionError: `redaction-vault`: the file fails, or was changed.
        """
        now = self._clock()
        found = self._remembered.get(principal, letters)
        if found is None or found.until <= now:
            found = self._read(principal, letters)
            if found is None or found.until <= now:
                return None
            self._remembered.keep(principal, letters, found)
        return found

    def expire(self) -> None:
        """Forget what no session needs any more.

        Raises:
            RedactionError: `redaction-vault`.
        """
        self._forget(_TAKE_OLD, self._clock())

    def forget(self, principal: str, session: str) -> None:
        """Forget what this session used, but for what others use, too.

        Raises:
            RedactionError: `redaction-vault`.
        """
        self._forget(_TAKE_SESSION, mac(self._index, "session", principal, session))

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._reading, MADE.reported():
            self._reader.close()
            self._writer.close()

    def _put(self, principal: str, item: Item) -> bytes:
        token, entity, value = item
        letters = token[-SIZE:]
        name = self._name(principal, letters)
        row = self._writer.execute("SELECT sealed FROM entries WHERE name = ?", (name,)).fetchone()
        if row is None:
            sealed = self._seal(principal, letters, entity, value)
            self._writer.execute("INSERT INTO entries VALUES (?, ?)", (name, sealed))
        elif self._open(principal, letters, row[0]) != (entity, value):
            raise failure("Two values have the same surrogate")
        return name

    def _make_room(self, until: float) -> None:
        """Take uses away, the oldest first, but none of this moment."""
        while True:
            uses, size = self._writer.execute("SELECT uses, bytes FROM totals").fetchone()
            if uses <= self._max_entries and size <= _MAX_BYTES:
                return
            if not self._writer.execute(_TAKE_OLD, (until,)).rowcount:
                raise failure("More values at once than the vault may hold")

    def _forget(self, take: str, value: float | bytes) -> None:
        taken = 1
        while taken:  # in pieces, so that no request waits long for the file
            with self._writing, transaction(self._writer):
                taken = self._writer.execute(take, (value,)).rowcount
        with self._writing, MADE.reported():
            # Else the sealed text would lie in the write-ahead log for a while.
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._reconcile()

    def _reconcile(self) -> None:
        with self._reading, MADE.reported():
            (forgotten,) = self._reader.execute("SELECT forgotten FROM totals").fetchone()
        self._remembered.reconcile(forgotten)

    def _read(self, principal: str, letters: str) -> Entry | None:
        name = self._name(principal, letters)
        with self._reading, MADE.reported():
            row = self._reader.execute(
                "SELECT sealed, (SELECT max(until) FROM uses WHERE uses.name = entries.name)"
                " FROM entries WHERE name = ?",
                (name,),
            ).fetchone()
        return None if row is None else Entry(*self._open(principal, letters, row[0]), row[1])

    def _name(self, principal: str, letters: str) -> bytes:
        return mac(self._index, "entry", principal, letters)

    def _seal(self, principal: str, letters: str, entity: str, value: str) -> bytes:
        data = value.encode("utf-8", "surrogatepass")
        if len(data) > MAX_VALUE:
            raise failure("A value is too long for the vault", f"{len(data)} bytes")
        nonce = secrets.token_bytes(_NONCE)
        plain = entity.encode() + b"\0" + data
        return nonce + self._cipher.encrypt(nonce, plain, _bound(principal, letters))

    def _open(self, principal: str, letters: str, sealed: bytes) -> tuple[str, str]:
        try:
            nonce, text = sealed[:_NONCE], sealed[_NONCE:]
            plain = self._cipher.decrypt(nonce, text, _bound(principal, letters))
        except (InvalidTag, ValueError, TypeError):
            raise failure("A row of the vault was changed, or sealed with another key") from None
        entity, _, value = plain.partition(b"\0")
        return entity.decode(), value.decode("utf-8", "surrogatepass")


def _bound(principal: str, letters: str) -> bytes:
    """What a sealed text belongs to; letters have one length, so no two run together."""
    return f"{letters}|{principal}".encode("utf-8", "surrogatepass")

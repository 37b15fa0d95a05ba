"""What a transaction adds to an index: exchanges, and the texts in them."""

import sqlite3
from dataclasses import dataclass, field
from hashlib import blake2b

from proctor.search.documents import Exchange, Part, Text
from proctor.search.texts import MAX_TEXT, indexed, pack


@dataclass(slots=True)
class Adding:
    """A transaction on a file."""

    _db: sqlite3.Connection
    _ids: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _sessions: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def unknown(self, text: Text) -> bool:
        """Whether it is not there yet: a text that is sent again is indexed once."""
        return not self._db.execute(
            "SELECT 1 FROM texts WHERE known = ?", (known_as(text),)
        ).fetchone()

    def tool_of(self, call: str) -> str:
        """The name of the tool that this call asked, "" where that is not known here."""
        row = self._db.execute(
            "SELECT n.name FROM texts t JOIN tools n ON n.id = t.tool"
            " WHERE t.call = ? AND t.tool <> 0 ORDER BY t.id DESC LIMIT 1",
            (_number(call),),
        ).fetchone()
        return str(row[0]) if row else ""

    def exchange(self, exchange: Exchange) -> int:
        """Adds who and when."""
        found = self._db.execute(
            "INSERT INTO exchanges (seq, ts, flow, session, entities) VALUES (?, ?, ?, ?, ?)",
            (
                exchange.seq,
                exchange.ts,
                exchange.flow_id,
                self._session(exchange),
                " ".join(exchange.entities),
            ),
        )
        return int(found.lastrowid or 0)

    def text(self, number: int, exchange: Exchange, text: Text, words: str) -> None:
        """Adds a text.

        Args:
            number: The exchange's, as `exchange` gave it.
            exchange: The exchange.
            text: What it is, its tool known as far as it can be.
            words: Its words; what is beyond MAX_TEXT is left out.
        """
        words = words[:MAX_TEXT]
        added = self._db.execute(
            "INSERT INTO texts (exchange, part, tool, call, verdict, scope, known, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                text.part.value,
                self._id("tools", text.tool) if text.tool else 0,
                _number(text.call) if text.part is Part.INPUT else 0,
                text.verdict,
                self._id("scopes", text.ref.scope),
                known_as(text),
                pack(words),
            ),
        )
        known = (
            text.part.value,
            text.verdict,
            exchange.principal,
            exchange.subject,
            exchange.session_id,
            text.tool,
            " ".join(exchange.entities),
        )
        self._db.execute(
            "INSERT INTO words (rowid, x) VALUES (?, ?)",
            (added.lastrowid, indexed(words, known)),
        )

    def _session(self, exchange: Exchange) -> int:
        key = (exchange.principal, exchange.session_id)
        found = self._sessions.get(key)
        if found is None:
            self._db.execute(
                "INSERT INTO sessions (principal, subject, session) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (exchange.principal, exchange.subject, exchange.session_id),
            )
            (found,) = self._db.execute(
                "SELECT id FROM sessions WHERE principal = ? AND session = ?", key
            ).fetchone()
            self._sessions[key] = found
        return found

    def _id(self, table: str, name: str) -> int:
        found = self._ids.get((table, name))
        if found is None:
            self._db.execute(
                f"INSERT INTO {table} (name) VALUES (?) ON CONFLICT DO NOTHING",  # noqa: S608
                (name,),
            )
            (found,) = self._db.execute(
                f"SELECT id FROM {table} WHERE name = ?",  # noqa: S608 - one of our own
                (name,),
            ).fetchone()
            self._ids[table, name] = found
        return found


def _number(text: str) -> int:
    """63 bits that stand for it."""
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def known_as(text: Text) -> int:
    """The same for texts that say the same and are filtered alike."""
    ref = text.ref
    # A tool's name may hold anything, the others no line's end.
    return _number(f"{ref.scope}\n{ref.hash}\n{ref.size}\n{text.part}\n{text.verdict}\n{text.tool}")

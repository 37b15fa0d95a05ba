"""The vault's SQLite file: made whole by whoever comes first, opened by all.

Every entry has a use for each session that used it, and goes with the last of them; so forgetting,
expiry and making room all take uses away. Triggers keep the totals, and count what was taken away,
so that a process sees when what it remembers may have gone.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import RedactionError
from proctor.runtime import sqlitemaker
from proctor.runtime.sqlitemaker import SqliteFile, unusable_as

VERSION = 1

_SCHEMA = """
CREATE TABLE entries (name BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE uses (
    name BLOB NOT NULL, session BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (name, session)
) WITHOUT ROWID;
CREATE INDEX uses_session ON uses (session);
CREATE INDEX uses_until ON uses (until);
CREATE TABLE totals (uses INTEGER NOT NULL, bytes INTEGER NOT NULL, forgotten INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0, 0);
CREATE TRIGGER entry_added AFTER INSERT ON entries BEGIN
    UPDATE totals SET bytes = bytes + length(NEW.sealed);
END;
CREATE TRIGGER entry_gone AFTER DELETE ON entries BEGIN
    UPDATE totals SET bytes = bytes - length(OLD.sealed);
END;
CREATE TRIGGER use_added AFTER INSERT ON uses BEGIN
    UPDATE totals SET uses = uses + 1;
END;
CREATE TRIGGER use_gone AFTER DELETE ON uses BEGIN
    UPDATE totals SET uses = uses - 1, forgotten = forgotten + 1;
    DELETE FROM entries WHERE name = OLD.name
        AND NOT EXISTS (SELECT 1 FROM uses WHERE name = OLD.name);
END;
"""

log = logging.getLogger(__name__)


def failure(message: str, got: str = "") -> RedactionError:
    """The error of a vault that cannot be used; it is logged, too.

    Args:
        message: What happened, without any value.
        got: What SQLite says, which names no values either.
    """
    log.error("%s", message, extra={"event": "vault.failed", "got": got})
    return RedactionError(
        "redaction-vault",
        message,
        got=got,
        hint="Nothing was let through; see the file vault.db in the state folder, and its disk.",
    )


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and one process at a time from the first read on.

    Raises:
        RedactionError: `redaction-vault`.
    """
    with MADE.reported(), sqlitemaker.transaction(database):
        yield


MADE: Final = SqliteFile(
    what="the vault of surrogates",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = NORMAL", "secure_delete = ON"),  # the key lies beside it
    unusable=unusable_as(
        "vault-unusable",
        "The vault of surrogates cannot be used",
        "Move it away for a new one; surrogates that stand in old answers then stay there.",
    ),
    failed=lambda got: failure("The vault of surrogates cannot be used", got),
)

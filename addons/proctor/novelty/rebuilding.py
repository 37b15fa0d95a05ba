"""What is usual, made anew from the record: of each statement that ended without error."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final

from proctor.audit.reader import Reader
from proctor.novelty.file import Key, NoveltyFile
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import Seen, lasting

_BATCH: Final = 5000
_STATEMENTS: Final = """
    SELECT s.raw AS said, e.raw AS ended FROM (
        SELECT writer, seq, ts, raw FROM _records
        WHERE kind = 'statement' AND verdict <> 'deny' AND ts >= $since) s
    JOIN (SELECT writer, begin_seq, raw FROM _records WHERE kind = 'statement.end') e
        ON e.writer = s.writer AND e.begin_seq = s.seq
    ORDER BY s.ts, s.writer, s.seq
"""


def rebuild(
    reader: Reader,
    file: NoveltyFile,
    settings: NoveltySettings,
    *,
    now: datetime,
    told: Callable[[int], None],
) -> int:
    """Forget everything, and learn it again; returns how many statements there were.

    What workers learn at the same moment may count twice.

    Args:
        reader: The record.
        file: What is made anew.
        settings: How far back is looked.
        now: UTC.
        told: How many statements were taken, now and then.

    Raises:
        ConfigurationError: The record cannot be read.
        InternalError: The file cannot be written.
    """
    file.forget(None)
    taken = 0
    for batch in batched(_read(reader, now - timedelta(seconds=settings.keep)), _BATCH):
        file.add(batch, now)
        taken += len(batch)
        told(taken)
    return taken


def _read(reader: Reader, since: datetime) -> Iterator[tuple[Key, Seen]]:
    for row in reader.rows(_STATEMENTS, {"since": since}):
        said, ended = json.loads(row["said"]), json.loads(row["ended"])
        if ended.get("error") is None:
            yield _seen(said, ended)


def _seen(said: Mapping[str, Any], ended: Mapping[str, Any]) -> tuple[Key, Seen]:
    new = said.get("novelty") or {}
    written = lasting(map(str, new.get("written") or ()))
    read = tuple(name for name in lasting(map(str, said["tables"])) if name not in written)
    principal = str(said["principal"])
    key = Key(
        person=str(new.get("person") or principal),
        principal=principal,
        place=f"{said['listener']}/{said['database']}",
    )
    at = datetime.fromisoformat(str(ended["ts"]))
    return key, Seen(str(said["fingerprint"]), read, written, int(ended["rows"] or 0), at)

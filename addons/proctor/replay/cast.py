"""A recording for asciinema's players: asciicast v3 (docs.asciinema.org/manual/asciicast/v3)."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

ROWS = 40


def lines(
    shown: Iterable[tuple[float, str]], *, title: str, columns: int, at: datetime
) -> Iterator[str]:
    """The file, line by line.

    Args:
        shown: Seconds since the beginning, and what the terminal gets then.
        title: Of the recording.
        columns: Width of the terminal.
        at: When the session was.
    """
    head = {
        "version": 3,
        "term": {"cols": columns, "rows": ROWS},
        "timestamp": int(at.timestamp()),
        "title": title,
    }
    yield json.dumps(head) + "\n"
    before = 0.0
    for moment, text in shown:
        # Version 3 has the time since the event before, not since the beginning.
        interval = round(moment - before, 3)
        before += interval
        data = text.replace("\n", "\r\n")
        yield json.dumps([interval, "o", data]) + "\n"

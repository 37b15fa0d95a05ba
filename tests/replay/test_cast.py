"""asciicast v3."""

import json
from datetime import UTC, datetime

from proctor.replay.cast import lines

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_file() -> None:
    shown = [(0.0, "one\ntwo"), (0.3334, "\x1b[1m"), (1.0, "ü"), (1.0, "")]
    head, *events = map(json.loads, lines(shown, title='a "b"', columns=80, at=AT))
    assert head == {
        "version": 3, "term": {"cols": 80, "rows": 40}, "timestamp": 1767323045, "title": 'a "b"',
    }  # fmt: skip
    assert events == [[0.0, "o", "one\r\ntwo"], [0.333, "o", "\x1b[1m"], [0.667, "o", "ü"],
                      [0.0, "o", ""]]  # fmt: skip


def test_roundings_do_not_add_up() -> None:
    _, *events = map(
        json.loads, lines([(n / 3000, "x") for n in range(3001)], title="", columns=80, at=AT)
    )
    assert round(sum(each[0] for each in events), 3) == 1.0

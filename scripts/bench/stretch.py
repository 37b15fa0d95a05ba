"""Makes a small record large: copies of its segments under other numbers, names and times.

Writing a million flows one by one takes minutes. A tenth of them is written by the recorder; this
copies that with the workshop that makes segments, merged as a record of that size is.
"""

from datetime import timedelta

from proctor.audit.keeper import FAN_IN
from proctor.audit.segments import Segment, Workshop, segments
from proctor.audit.state import State
from proctor.audit.store import CONTENT, SEGMENTS, Store

WRITER = "w0"
_MARK = 4  # characters at the start of ids that every copy shares; the next four are its number

# What is another in each copy, by folder: {n} is the copy, {rows} what to add to numbers.
_CHANGES = {
    SEGMENTS: (
        "seq + {rows} AS seq, begin_seq + {rows} AS begin_seq, ts + {shift} AS ts, "
        "started_at + {shift} AS started_at, ended_at + {shift} AS ended_at, "
        "flow_id[:{mark}] || '{n:04d}' || flow_id[{mark} + 5:] AS flow_id, "
        "session_id[:{mark}] || '{n:04d}' || session_id[{mark} + 5:] AS session_id"
    ),
    CONTENT: 'n + {rows} AS n, "scope" || \'.{n}\' AS "scope"',
}


def stretch(store: Store, times: int, span: timedelta) -> None:
    """Make a record `times` as long; nobody has it open, and nothing is left in its journals.

    Args:
        store: The record.
        times: How many times what is there.
        span: From one copy to the next.
    """
    folder = store.writers / WRITER
    state = State.read(folder)
    workshop = Workshop(store, folder / "tmp")
    try:
        for name, bounds in ((SEGMENTS, state.segments), (CONTENT, state.content)):
            _merge(workshop, store, name)
            rows = bounds.last[0] + 1
            parts = segments(store.path / name, WRITER)
            for number in range(1, times):
                for part in parts:
                    _copy(workshop, store, name, part, number, rows, span)
            bounds.last[:] = [rows * times - 1, rows * times - 1, -1]
    finally:
        workshop.close()
    state.write(folder, folder / "tmp")


def _merge(workshop: Workshop, store: Store, name: str) -> None:
    """All of it at one level, as the older part of a large record is."""
    small = [part for part in segments(store.path / name, WRITER) if part.level == 0]
    merged = [part for part in segments(store.path / name, WRITER) if part.level == 1]
    end = merged[-1].last if merged else -1
    rest = [part for part in small if part.first > end]
    for first in range(0, len(rest), FAN_IN):
        workshop.merge(name, rest[first : first + FAN_IN])
    for part in small:
        (store.path / name / part.name).unlink()


def _copy(  # noqa: PLR0913, PLR0917 - which, of what, and by how much
    workshop: Workshop,
    store: Store,
    name: str,
    part: Segment,
    number: int,
    rows: int,
    span: timedelta,
) -> None:
    made = Segment(WRITER, part.level, part.first + rows * number, part.last + rows * number)
    shift = f"INTERVAL {number * int(span.total_seconds())} SECOND"
    changes = _CHANGES[name].format(n=number, rows=rows * number, shift=shift, mark=_MARK)
    workshop._write(  # noqa: SLF001 - the very files that the recorder makes, options and all
        store.path / name / made.name,
        f"SELECT * REPLACE ({changes}) FROM read_parquet('{store.path / name / part.name}')",  # noqa: S608 - our own names
        expected=part.last - part.first + 1,
    )

"""How much of the record is of which day."""

import asyncio
from pathlib import Path

from proctor.audit.store import Store
from proctor.evidence.sizes import days_of, writers_of
from tests.evidence.days import Time, days
from tests.support.envelopes import run


def test_bytes_by_day(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    store = Store.at(path)
    assert writers_of(store) == []
    assert days_of(store) == {}
    asyncio.run(days(path, Time(), 3, lambda day: run(f"s{day}")))
    assert writers_of(store) == ["w0"]
    found = days_of(store)
    assert sorted(found) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert sum(found.values()) == sum(each.stat().st_size for each in path.glob("*/w0-*.parquet"))
    assert days_of(store, "w0") == found

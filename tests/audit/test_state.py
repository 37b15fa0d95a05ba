"""The bounds of a writer's tiers."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.envelope import GENESIS
from proctor.audit.state import FOREVER, HOT, LEVELS, OPEN, Bounds, State


def test_a_new_writer(tmp_path: Path) -> None:
    assert State.read(tmp_path / "w0") == State("w0", GENESIS, Bounds(), Bounds())


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "w7"
    folder.mkdir()
    state = State("w7", "ab" * 32, Bounds([90, 40, 10]), Bounds([5, -1, -1]))
    state.write(folder, folder)
    assert State.read(folder) == state
    tiers = json.loads((folder / "state.json").read_text())["tiers"]
    assert {"kind": "segments", "tier": 0, "above": 40, "upto": 90} in tiers
    assert {"kind": "content", "tier": HOT, "above": 5, "upto": FOREVER} in tiers
    assert {"kind": "segments", "tier": OPEN, "above": -1, "upto": FOREVER} in tiers


@given(st.lists(st.integers(-1, 50), min_size=LEVELS, max_size=LEVELS), st.integers(0, 100))
def test_every_number_counts_in_one_tier(edges: list[int], number: int) -> None:
    rows = Bounds(sorted(edges, reverse=True)).rows()
    assert sum(above < number <= upto for _, above, upto in rows) == 1

"""Leaves of a writer that runs: from its file, and from journals in any order."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.evidence.hot import all_leaves
from proctor.evidence.leaves import write_leaves
from proctor.tlog.tree import leaf_hash

LINES = [
    f'{{"v":1,"kind":"event","writer":"w0","seq":{seq},"prev":"x","detail":"{{\\"seq\\":7"}}'.encode()
    for seq in range(20)
]
ARRAY = b"".join(map(leaf_hash, LINES))
OTHERS = [b'{"writer":"w0","n":3,"c":"seq"}', b'{"v":1,"kind":"event"', b"", b"\xff"]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.data())
def test_file_and_journals_are_one(
    tmp_path_factory: pytest.TempPathFactory, folded: int, cut: int, size: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("w0")
    if folded:
        write_leaves(folder, 0, ARRAY[: folded * 32])
    # Journals keep for a while what is in the file already; the last line may be under way.
    for name, lines in (("1", LINES[cut:]), ("0", LINES[max(0, folded - 3) : cut])):
        (folder / f"{name}.jsonl").write_bytes(b"\n".join([*OTHERS, *lines, LINES[0]]))
    (folder / "checkpoints.jsonl").write_bytes(LINES[3] + b"\n")
    read = all_leaves(folder, size)
    start = data.draw(st.integers(0, size))
    end = data.draw(st.integers(start, size))
    assert read(start, end) == ARRAY[start * 32 : end * 32]


def test_what_is_nowhere_is_short(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl").write_bytes(b"\n".join(LINES[:3] + LINES[4:6]) + b"\n")
    assert all_leaves(tmp_path, 6)(0, 6) == ARRAY[: 3 * 32]

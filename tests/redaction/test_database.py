"""Hyperscan's databases, kept from one process to the next."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hyperscan
import pytest

from proctor.redaction import database
from proctor.redaction.compiled import keep
from proctor.redaction.database import Expression, block_database

WORDS: list[Expression] = [("lemons", 0), ("limes", hyperscan.HS_FLAG_CASELESS)]


def hits(made: hyperscan.Database, data: bytes) -> list[tuple[int, int]]:
    """Numbers of expressions, and where each hit ends."""
    found: list[tuple[int, int]] = []
    made.scan(
        data,
        match_event_handler=lambda number, _, end, *__: found.append((number, end)),
        scratch=hyperscan.Scratch(made),  # one that was loaded has none of its own
    )
    return found


def test_it_finds_by_place(tmp_path: Path) -> None:
    for cache in (None, tmp_path, tmp_path):
        made = block_database(WORDS, cache)
        assert hits(made, b"LIMES, lemons, LEMONS") == [(1, 5), (0, 13)]


def test_it_is_compiled_once_by_all_who_begin_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    compiled = database.compiled

    def counted(expressions: list[Expression]) -> hyperscan.Database:
        made.append(expressions)
        return compiled(expressions)

    monkeypatch.setattr(database, "compiled", counted)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: block_database(WORDS, tmp_path), range(8)))
    assert [hits(each, b"limes") for each in found] == [[(1, 5)]] * 8
    assert len(made) == 1


def test_what_cannot_be_loaded_is_made_anew(tmp_path: Path) -> None:
    block_database(WORDS, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for bad in (b"", whole[:-1]):
        path.write_bytes(bad)
        assert hits(block_database(WORDS, tmp_path), b"limes") == [(1, 5)]
        assert path.read_bytes() == whole
    keep(path, b"compiled for no machine")
    assert hits(block_database(WORDS, tmp_path), b"limes") == [(1, 5)]
    assert path.read_bytes() == whole


def test_other_expressions_are_another_file(tmp_path: Path) -> None:
    block_database(WORDS, tmp_path)
    block_database([(WORDS[0][0], hyperscan.HS_FLAG_CASELESS), WORDS[1]], tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_where_nothing_can_be_kept_it_is_there_all_the_same(tmp_path: Path) -> None:
    assert hits(block_database(WORDS, tmp_path / "missing"), b"limes") == [(1, 5)]


def test_what_hyperscan_refuses(tmp_path: Path) -> None:
    with pytest.raises(hyperscan.HyperscanError):
        block_database([("(", 0)], tmp_path)
    assert not list(tmp_path.iterdir())

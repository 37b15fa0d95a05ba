"""Content by reference, out of a real store."""

import asyncio
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit import reader
from proctor.audit.content import MAX_BLOCK, ranges
from proctor.audit.reader import Content, numbers, opened, reference
from proctor.audit.recorder import Recorder
from proctor.errors import ConfigurationError
from proctor.model import ContentRef

TEXTS = {
    "short": b"hello",
    "signs": "äöü€😀".encode() * 20_000,
    "not utf-8": b"a\xff\x00b" * 30_000,
    "surrogate": "x\ud800y".encode("utf-8", "surrogatepass"),
    "empty": b"",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ContentRef]]:
    path = tmp_path_factory.mktemp("reader") / "recordings"

    async def main() -> dict[str, ContentRef]:
        recorder = await Recorder.open(path)
        scope = recorder.scope("i#alice", None)
        refs = {name: recorder.put(scope, data) for name, data in TEXTS.items()}
        await recorder.event("test", {})
        await recorder.close()
        return refs

    return path, asyncio.run(main())


@pytest.mark.parametrize("limit", [None, 3, 70_000])
def test_contents(store: tuple[Path, dict[str, ContentRef]], limit: int | None) -> None:
    path, refs = store
    with opened(path) as found:
        assert found is not None
        contents = found.contents(dict.fromkeys(refs.values(), limit))
    for name, data in TEXTS.items():
        content = contents[refs[name]]
        text = data.decode("utf-8", "backslashreplace")
        assert content.text == text[:limit]
        assert content.size == len(data)
        assert bool(content.omitted) == (limit is not None and len(text) > limit), name
        assert not content.erased


def test_a_limit_fetches_no_more_blocks_than_it_needs() -> None:
    ref = ContentRef(scope="s", hash="h", size=10**9, encoding="utf8", blocks="0-99999999")
    assert len(reader._first(ref, 1000)) == 1
    assert len(reader._first(ref, MAX_BLOCK)) == 5


def test_a_reference_cannot_name_more_blocks_than_it_has_bytes() -> None:
    ref = ContentRef(scope="s", hash="h", size=3, encoding="utf8", blocks="0-999999999999")
    assert reader._first(ref, None) == [0, 1, 2]


def test_what_is_gone_is_said_to_be(store: tuple[Path, dict[str, ContentRef]]) -> None:
    ref = ContentRef(scope="gone", hash="h", size=9, encoding="utf8", blocks="0")
    with opened(store[0]) as found:
        assert found is not None
        assert found.contents({ref: None})[ref] == Content(size=9, omitted=9, erased=True)


def test_nothing_recorded_yet(tmp_path: Path) -> None:
    with opened(tmp_path / "recordings") as found:
        assert found is None


def test_a_failure_while_reading(store: tuple[Path, dict[str, ContentRef]]) -> None:
    with pytest.raises(ConfigurationError) as caught, opened(store[0]):
        raise duckdb.IOException("gone")
    assert caught.value.code == "store-unreadable"


@given(st.lists(st.integers(0, 500), unique=True))
def test_numbers_are_the_inverse_of_ranges(found: list[int]) -> None:
    assert list(numbers(ranges(found))) == found


def test_reference() -> None:
    ref = ContentRef(scope="s", hash="h", size=1, encoding="utf8", blocks="0")
    assert reference(ref.as_json()) == ref
    assert reference(None) is None

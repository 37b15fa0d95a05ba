"""Lists of which texts have a number."""

import random
from collections import defaultdict

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proctor.search.runs import KEY_BITS, ids_of, part_of, parts

ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 2**KEY_BITS - 1) | st.sampled_from([0, 1, 2**14, 2**KEY_BITS - 1]),
        st.integers(0, 2**32 - 1) | st.integers(0, 3),
    )
)


@given(ENTRIES)
def test_each_is_found_once(entries: list[tuple[int, int]]) -> None:
    wanted: dict[int, set[int]] = defaultdict(set)
    for number, text in entries:
        wanted[number].add(text)
    made = dict(parts(np.array([a << 32 | b for a, b in entries], np.uint64)))
    assert {part_of(number) for number in wanted} == set(made)
    for number, texts in wanted.items():
        assert ids_of(number, made[part_of(number)], len(texts)) == sorted(texts)
        assert ids_of(number, made[part_of(number)], len(texts) - 1) is None
        other = number ^ 1
        if other not in wanted:
            assert ids_of(other, made[part_of(number)], 0) == []


def test_they_are_small() -> None:
    dice = random.Random(1)  # noqa: S311 - the same each time
    entries = [dice.randrange(2**KEY_BITS) << 32 | dice.randrange(90_000) for _ in range(400_000)]
    made = [*parts(np.array(entries, np.uint64))]
    assert sum(len(packed) for _, packed in made) < 6 * len(entries)
    assert [number for number, _ in made] == sorted({part_of(each >> 32) for each in entries})


@pytest.mark.parametrize("raw", [b"12345", b"1234567"])
def test_what_is_no_list(raw: bytes) -> None:
    with pytest.raises(ValueError, match="packed"):
        ids_of(1, zstandard.compress(raw), 9)
    whole = zstandard.compress(raw + b"x" * 50)
    for end in range(len(whole)):
        with pytest.raises(ValueError, match="packed"):
            ids_of(1, whole[:end], 9)

"""Checkpoints as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.text import MAX_SIZE
from proctor.tlog.tree import EMPTY_ROOT

TEXT = "proctor/ab/w0\n12\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ntime now\n"


def test_there_and_back() -> None:
    checkpoint = Checkpoint("proctor/ab/w0", 12, EMPTY_ROOT, ("time now",))
    assert str(checkpoint) == TEXT
    assert Checkpoint.parse(TEXT) == checkpoint


@given(st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_any(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("o", size, root)
    assert Checkpoint.parse(str(checkpoint)) == checkpoint


@pytest.mark.parametrize("at", [at for at in range(len(TEXT)) if not TEXT[:at].endswith("=\n")])
def test_cut_at_any_place_but_a_line_s_end(at: int) -> None:
    with pytest.raises(ClientError) as caught:
        Checkpoint.parse(TEXT[:at])
    assert caught.value.code == "checkpoint-malformed"


ROOT = TEXT.split("\n")[2]


@pytest.mark.parametrize(
    "text",
    [
        f"o\n-1\n{ROOT}\n", f"o\n01\n{ROOT}\n", f"o\n1 \n{ROOT}\n", f"o\n٣\n{ROOT}\n",
        f"o\n{MAX_SIZE + 1}\n{ROOT}\n", f"o\n1\n{ROOT[:-4]}\n", f"o\n1\n{ROOT[:-2]}V=\n",
        f"\n1\n{ROOT}\n", f"o\n1\n{ROOT}\n\nx\n", "", "\n\n\n",
    ],
)  # fmt: skip
def test_no_checkpoints(text: str) -> None:
    with pytest.raises(ClientError):
        Checkpoint.parse(text)

"""What is signed of a copy is read in one way only."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.errors import ClientError
from proctor.evidence.copied import CopyNote, key_at_hand, origin_of_copies
from proctor.evidence.keys import KEY_FILE, make_key

NOTE = CopyNote(
    origin=origin_of_copies("ab" * 16),
    time=datetime(2026, 11, 22, 14, tzinfo=UTC),
    of=b"\x01" * 32,
    writers={"w0": (b"\x02" * 32, b"\x03" * 32), "w1": (bytes(32), b"\x03" * 32)},
)


def test_as_it_stands_in_a_file() -> None:
    three = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
    assert str(NOTE) == (
        "proctor/abababababababababababababababab/copy\n"
        "time 2026-11-22T14:00:00.000000Z\n"
        "of AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
        f"w0 AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= {three}\n"
        f"w1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= {three}\n"
    )
    assert CopyNote.parse(str(NOTE)) == NOTE


def test_one_that_was_cut_or_changed_is_another_or_none() -> None:
    text = str(NOTE)
    for at in range(len(text)):
        for changed in (text[:at], text[:at] + "\x00" + text[at + 1 :], text[:at] + text[at + 1 :]):
            with suppress(ClientError):
                assert CopyNote.parse(changed) != NOTE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        str(NOTE).replace("time 2026-11-22T14:00:00.000000Z", "time yesterday"),
        str(NOTE).replace("time 2026-11-22T14:00:00.000000Z", "time 2026-11-22T14:00:00Z"),
        str(NOTE).replace("w1 ", "w0 "),
        str(NOTE).replace("w1 ", "../w1 "),
        str(NOTE) + "w2\n",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ClientError, match="no statement about a copy"):
        CopyNote.parse(text)


def test_the_key_where_there_is_one(tmp_path: Path) -> None:
    assert key_at_hand(tmp_path) is None
    made = make_key(tmp_path / KEY_FILE)
    found = key_at_hand(tmp_path)
    assert found is not None
    assert found.public_key() == made.public_key()

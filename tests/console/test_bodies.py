"""Bodies of programs."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.console.bodies import read_duration, read_object
from proctor.errors import ClientError

NAMES = {"text": str, "yes": bool, "number": int}


def test_a_body_is_read() -> None:
    raw = b'{"text": "a", "yes": true, "number": 3}'
    assert read_object(raw, NAMES) == {"text": "a", "yes": True, "number": 3}
    assert read_object(b"", NAMES) == {}
    assert read_object(b'{"text": null}', NAMES) == {}


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    found: dict[str, Any] = {}
    with suppress(ClientError):
        found = read_object(raw, NAMES)
    assert all(type(value) is NAMES[name] for name, value in found.items())


@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)) | st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        max_size=4,
    )
)
def test_every_member_is_of_its_type(said: dict[str, Any]) -> None:
    fine = all(
        name in NAMES and (value is None or type(value) is NAMES[name])
        for name, value in said.items()
    )
    try:
        found = read_object(json.dumps(said).encode(), NAMES)
    except ClientError:
        assert not fine
        return
    assert fine
    assert found == {name: value for name, value in said.items() if value is not None}


def test_an_error_shows_nothing_of_the_body() -> None:
    for raw in (b'{"sk-secret": 1}', b'{"text": ["sk-secret"]}', b"sk-secret"):
        with pytest.raises(ClientError) as caught:
            read_object(raw, NAMES)
        assert "sk-secret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_durations() -> None:
    assert read_duration("90m", "for") == timedelta(minutes=90)
    for wrong in ("", "1", "1 h", "-1h", "0s", "367d", "999999999d", "1h\n", "\u0661h"):
        with pytest.raises(ClientError):
            read_duration(wrong, "for")

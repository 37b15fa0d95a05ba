"""Errors and notices."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.postgres.fields import (
    Fields,
    error,
    fatal,
    fields_of,
    notice,
    read_fields,
    sqlstate,
)


def test_an_error_reads_as_it_was_written() -> None:
    fields = Fields(
        severity="ERROR",
        code="42501",
        message="no",
        detail="rule x",
        hint="ask",
        others={"P": "7", "W": "PL/pgSQL"},
    )
    raw = error(fields)
    assert raw[:1] == b"E"
    assert int.from_bytes(raw[1:5], "big") == len(raw) - 1
    assert read_fields(raw[5:]) == fields
    assert notice(fields)[5:] == raw[5:]
    assert notice(fields)[:1] == b"N"


def test_an_error_of_ours_has_its_code_and_hint() -> None:
    raw = fatal(
        AuthenticationError("token-expired", "The token has expired", got="1 h", hint="Renew it.")
    )
    assert read_fields(raw[5:]) == Fields(
        severity="FATAL",
        code="28P01",
        message="The token has expired",
        detail="proctor: token-expired; got 1 h",
        hint="Renew it.",
    )


def test_a_server_before_9_6_says_its_severity_once() -> None:
    assert read_fields(b"SFEHLER\0C42501\0Mnein\0\0").severity == "FEHLER"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (AuthenticationError("token-missing", ""), "28P01"),
        (RefusedError("some-rule", ""), "42501"),
        (ClientError("anything", ""), "08P01"),
        (ClientError("pg-database", ""), "3D000"),
        (ClientError("pg-too-many", ""), "53300"),
        (ClientError("pg-idle", ""), "57P05"),
        (InternalError("pg-stopping", ""), "57P01"),
        (InternalError("pg-cannot-connect", ""), "57P03"),
        (InternalError("anything", ""), "XX000"),
        (UpstreamError("anything", ""), "08006"),
        (UpstreamError("upstream-credential", ""), "08004"),
        (ConfigurationError("anything", ""), "XX000"),
        (ProctorError("anything", ""), "XX000"),
    ],
)
def test_each_error_has_a_sqlstate(said: ProctorError, state: str) -> None:
    assert sqlstate(said) == state
    assert fields_of(said).code == state


def test_a_zero_byte_ends_nothing() -> None:
    assert read_fields(Fields(severity="ERROR", code="1", message="a\0b").body()).message == "a�b"


@pytest.mark.parametrize("body", [b"", b"M", b"Mx", b"Mx\0", b"Mx\0\0\0", b"\0x"])
def test_what_does_not_end_is_refused(body: bytes) -> None:
    with pytest.raises(ClientError, match="no message"):
        read_fields(body)


@given(st.binary(max_size=60))
def test_bytes_give_fields_or_an_error(body: bytes) -> None:
    with contextlib.suppress(ClientError):
        read_fields(body)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives(text: str) -> None:
    fields = Fields(severity="ERROR", code="XX000", message=text, detail=text, hint=text)
    assert read_fields(fields.body()) == fields

"""What a client may ask for as it begins."""

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.postgres.parameters import CODECS, codec, switches, wanted


def asked(**more: str) -> dict[str, str]:
    return dict(wanted({"user": "bob"} | more).parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(
            {
                "client_encoding": "UTF8",
                "DateStyle": "ISO",
                "TimeZone": "Europe/Berlin",
                "extra_float_digits": "2",
                "search_path": "sales",
            },
            id="JDBC",
        ),
        pytest.param({"client_encoding": "'utf-8'"}, id="asyncpg"),
        pytest.param({"client_encoding": "UTF8", "datestyle": "ISO", "geqo": "off"}, id="libpq"),
        pytest.param(
            {
                "client_encoding": "'utf-8'",
                "statement_timeout": "5000",
                "lock_timeout": "1",
                "idle_in_transaction_session_timeout": "9",
            },
            id="node",
        ),
        pytest.param({"timezone": "UTC", "standard_conforming_strings": "on"}, id="pgx"),
    ],
)
def test_what_drivers_say_passes(parameters: dict[str, str]) -> None:
    expected = {name.lower(): value for name, value in parameters.items()}
    assert asked(**parameters) == expected


def test_who_and_what_are_told_apart() -> None:
    found = wanted({"user": "bob", "database": "orders", "application_name": "psql"})
    assert (found.user, found.database, found.application) == ("bob", "orders", "psql")
    assert found.parameters == {}


def test_options_are_read_and_parameters_beat_them() -> None:
    found = wanted(
        {
            "user": "bob",
            "options": r"-c search_path=a\ b -cgeqo=off --statement-timeout=5 -c TimeZone=UTC",
            "statement_timeout": "7",
            "replication": "false",
        }
    )
    assert found.parameters == {
        "search_path": "a b",
        "geqo": "off",
        "statement_timeout": "7",
        "timezone": "UTC",
    }


@pytest.mark.parametrize(
    ("parameters", "code", "named"),
    [
        ({}, "pg-user", ""),
        ({"user": ""}, "pg-user", ""),
        ({"user": "bob", "replication": "true"}, "pg-replication", ""),
        ({"user": "bob", "replication": "database"}, "pg-replication", ""),
        ({"user": "bob", "role": "postgres"}, "pg-parameter", "role"),
        ({"user": "bob", "session_authorization": "x"}, "pg-parameter", "session_authorization"),
        ({"user": "bob", "app.current_user": "1"}, "pg-parameter", "app.current_user"),
        ({"user": "bob", "USER": "carol"}, "pg-parameter", "USER"),
        ({"user": "bob", "row_security": "off"}, "pg-parameter", "row_security"),
        ({"user": "bob", "local_preload_libraries": "x"}, "pg-parameter", "local_preload"),
        ({"user": "bob", "client_min_messages": "debug5"}, "pg-parameter", "debug5"),
        ({"user": "bob", "standard_conforming_strings": "off"}, "pg-parameter", "off"),
        ({"user": "bob", "Standard_Conforming_Strings": "0"}, "pg-parameter", "0"),
        ({"user": "bob", "options": "-c role=postgres"}, "pg-parameter", "role"),
        ({"user": "bob", "options": r"-c\ role=postgres"}, "pg-parameter", "role"),
        ({"user": "bob", "options": "--session-authorization=x"}, "pg-parameter", "session_auth"),
        ({"user": "bob", "options": "-c geqo"}, "pg-parameter", "-c"),
        ({"user": "bob", "options": "-c"}, "pg-parameter", "-c"),
        ({"user": "bob", "options": "-c =x"}, "pg-parameter", "-c"),
        ({"user": "bob", "options": "-e -c geqo=off"}, "pg-parameter", "-e"),
        ({"user": "bob", "options": "-d5"}, "pg-parameter", "-d5"),
        ({"user": "bob", "options": "geqo=off"}, "pg-parameter", "geqo"),
        ({"user": "bob", "a\x1b[2J": "x"}, "pg-parameter", "control characters"),
        ({"user": "bob", "x" * 999: "x"}, "pg-parameter", "…"),
        ({"user": "bob", "client_encoding": "SJIS"}, "pg-client-encoding", "SJIS"),
    ],
)
def test_what_else_is_refused_by_name(parameters: dict[str, str], code: str, named: str) -> None:
    with pytest.raises(ClientError) as raised:
        wanted(parameters)
    assert raised.value.code == code
    assert named in raised.value.got
    assert len(raised.value.got) < 100


@pytest.mark.parametrize(
    "name",
    [
        "sjis",
        "ShiftJIS",
        "mskanji",
        "win932",
        "SHIFT_JIS_2004",
        "BIG5",
        "win950",
        "GBK",
        "win936",
        "UHC",
        "Windows949",
        "GB18030",
        "JOHAB",
        "MULE_INTERNAL",
        "EUC_TW",
        "utf-16",
        "",
    ],
)
def test_encodings_that_hide_ascii_are_not_spoken(name: str) -> None:
    assert codec(name) is None


@pytest.mark.parametrize("name", sorted(set(CODECS.values())))
def test_an_ascii_byte_is_an_ascii_character(name: str) -> None:
    """No byte below 0x80 is ever a part of another character."""
    leads = [bytes([lead]) for lead in range(0x80, 0x100)]
    for lead in (*leads, *(lead + b"\xa1" for lead in leads)):
        for byte in b"\0\n\"$'*-/;@A\\z~":
            # What cannot be read is refused, by PostgreSQL as by us.
            with contextlib.suppress(UnicodeDecodeError):
                assert codecs.decode(lead + bytes([byte]), name).endswith(chr(byte))


@given(st.text(max_size=80))
def test_options_give_settings_or_an_error(options: str) -> None:
    with contextlib.suppress(ClientError):
        assert all(name for name, _ in switches(options))


@given(st.text(st.characters(exclude_characters="\0"), max_size=30))
def test_a_value_survives_its_escapes(value: str) -> None:
    escaped = "".join(f"\\{char}" if char.isspace() or char == "\\" else char for char in value)
    assert list(switches(f"-c search_path={escaped}")) == [("search_path", value)]

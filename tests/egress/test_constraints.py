"""Constraints: what may be written, and what they permit."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proctor.egress.certificates import Role, make_ca
from proctor.egress.constraints import MAX_PERMITTED, CaSettings, Constraints, is_name

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("corp.example", "corp.example"),
        ("internal", "internal"),
        ("_odd.corp.example", "_odd.corp.example"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("FD00::/8", "fd00::/8"),
        ("::1", "::1/128"),
    ],
)
def test_what_may_be_permitted(text: str, kept: str) -> None:
    assert CaSettings(permitted=(text,)).permitted == (kept,)


@pytest.mark.parametrize(
    "text",
    [
        "", ".corp.example", "corp.example.", "*.corp.example", "*", "Corp.example", "a..b",
        "10.0.0.1/8", "010.0.0.1", "0x7f.1", "1.2.3", "2130706433", "0x7f000001", "fe80::1%eth0/64",
        "bücher.example", "a b", "a\n", "-a.example", "a-.example", "a" * 64, "a." * 127 + "aa",
        "https://corp.example", "corp.example:443", 7, None,
    ],
)  # fmt: skip
def test_what_may_not(text: object) -> None:
    with pytest.raises(ValidationError, match=r"a name such as corp\.example"):
        CaSettings.model_validate({"permitted": (text,)})


def test_not_endlessly_many() -> None:
    CaSettings(permitted=("a.example",) * MAX_PERMITTED)
    with pytest.raises(ValidationError):
        CaSettings(permitted=("a.example",) * (MAX_PERMITTED + 1))


NAMES = Constraints.parse(["corp.example"])
NETWORKS = Constraints.parse(["10.0.0.0/8"])
BOTH = Constraints.parse(["corp.example", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("constraints", "host", "permitted"),
    [
        (Constraints(), "any.example", True),
        (Constraints(), "192.0.2.1", True),
        (NAMES, "corp.example", True),
        (NAMES, "a.b.corp.example", True),
        (NAMES, "evilcorp.example", False),
        (NAMES, "corp.example.evil.example", False),
        (NAMES, "10.0.0.1", False),
        (NAMES, "::1", False),
        (NETWORKS, "10.255.0.1", True),
        (NETWORKS, "11.0.0.1", False),
        (NETWORKS, "::ffff:10.0.0.1", False),
        (NETWORKS, "corp.example", False),
        (BOTH, "fd00::1", True),
        (BOTH, "fe80::1", False),
        (BOTH, "x.corp.example", True),
    ],
)
def test_permits(constraints: Constraints, host: str, permitted: bool) -> None:  # noqa: FBT001 - a parameter
    assert constraints.permits(host) is permitted


@pytest.mark.parametrize("constraints", [Constraints(), NAMES, NETWORKS, BOTH])
def test_a_certificate_says_them_and_is_read_back(constraints: Constraints) -> None:
    ca = make_ca(constraints, Role.SIGNS, NOW)
    assert Constraints.read(ca.certificate) == constraints


def test_as_text() -> None:
    assert str(Constraints()) == "none"
    assert str(BOTH) == "corp.example, 10.0.0.0/8, fd00::/8"


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9_.x-]{1,80}", fullmatch=True))
def test_a_name_is_no_address_and_plain(text: str) -> None:
    if is_name(text):
        assert text.isascii()
        assert text == text.lower().strip(".")
        assert not text.rpartition(".")[2].isdigit()
        assert Constraints.parse([text]).names == (text,)

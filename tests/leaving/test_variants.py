"""Ways of writing a value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.variants import Variant, base58, variants
from proctor.leaving.watch import Watch
from tests.leaving.looking import known, look

KEY = "Tr0ub4dor-" + "Vx93kQ"


@given(
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=12, max_size=40),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_codes_hold_the_value_wherever_it_stands(value: str, before: bytes, after: bytes) -> None:
    made: dict[str, list[str]] = {}
    for how, text in variants(value):
        made.setdefault(how, []).append(text)
    raw = before + value.encode() + after
    assert any(text in base64.b64encode(raw).decode() for text in made["base64"])
    assert any(text in base64.b32encode(raw).decode() for text in made["base32"])
    assert any(text and text in base64.b85encode(raw).decode() for text in made["base85"])
    twice = base64.b64encode(base64.b64encode(raw)).decode()
    assert any(text in twice for text in made["base64, twice"])
    assert value[::-1] in made["reverse"]


def test_base58_is_bitcoins() -> None:
    assert base58(b"hello world") == "StV1DL6CwTryKyV"
    assert base58(b"\0\0a") == "112g"


@pytest.mark.parametrize(
    "written",
    [
        "".join(f"{ord(c):03}" for c in KEY),
        "+".join(f"[char]{ord(c)}" for c in KEY),
        " . ".join(f"chr({ord(c)})" for c in KEY),
        KEY.encode().hex()[::-1],
        " ".join(f"{c:02x}"[::-1] for c in KEY.encode()),
        "0000000 7254 7530 3462 6f64 2d72 7856 3339 516b\n0000020",  # od -x
        str(int.from_bytes(KEY.encode())),
        "4zz8i4dogw6uvaaeqllx6nsr5",
        "2ZLXUDQa2wfsggdmBJPwWX",
        "\n".join(f"{n}. {c}" for n, c in enumerate(KEY, 1)),
        ", ".join(f"{n}={c}" for n, c in enumerate(KEY)),
        "Wu0xe4gru-Ya93nT",
        "Ge5ho9qbe-Ik48xD",
        "%C_F3c5@C\\'IhbZ",
        "Gi0fy4wli-Ec93pJ",
        "Us1vc5eps.Wy:4lR",
        "TTrr00uubb44ddoorr--VVxx9933kkQQ",
        "T0bdrV9kru4o-x3Q",
        "rTu04bod-rxV39Qk",
        "Tango Romeo zero Uniform Bravo four Delta Oscar Romeo dash Victor Xray nine three Kilo",
    ],
)
def test_what_somebody_writes_who_hides_it_is_known(written: str) -> None:
    watch = Watch()
    known(watch, KEY)
    hits = look(watch, body=f"Notes: {written} and so on.".encode(), kind="text/plain")[1]
    assert "SECRET_PIECES" in {hit.type for hit in hits}


def test_nothing_shows() -> None:
    assert "secret" not in repr(Variant("hex", "secret"))
    assert len(list(variants("x" * 100_000))) < 60
    assert len(list(variants("x" * 48))) < 130

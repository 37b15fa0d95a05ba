"""Signed notes: what is taken, what is refused, and that nothing else is signed."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.tlog.note import MAX_NOTE, Signer, VerifierKey, parse_note, signed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer("proctor/ab/w0", KEY)
TEXT = "proctor/ab/w0\n7\nroot\n"
NOTE = str(signed(TEXT, [SIGNER]))


def test_the_example_of_go_sumdb() -> None:
    # golang.org/x/mod/sumdb/note: the package's own example, key and signed note.
    key = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = parse_note(
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501 - as it stands there
    )
    assert note.signed_by(key)
    assert str(key).startswith("PeterNeumann+c74f20a3+")


def test_there_and_back() -> None:
    note = parse_note(NOTE)
    assert (str(note), note.text) == (NOTE, TEXT)
    assert note.signed_by(SIGNER.public)
    assert VerifierKey.parse(str(SIGNER.public)) == SIGNER.public


def test_an_empty_line_belongs_to_the_text_but_for_the_last() -> None:
    note = signed("a\n\nb\n", [SIGNER])
    assert parse_note(str(note)) == note


@pytest.mark.parametrize("at", range(len(NOTE)))
def test_cut_at_any_place_it_is_no_note(at: int) -> None:
    with pytest.raises(ClientError) as caught:
        parse_note(NOTE[:at])
    assert caught.value.code == "note-malformed"


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(1, 255))
def test_no_byte_can_be_another(at: int, flip: int) -> None:
    data = bytearray(NOTE.encode())
    data[at] ^= flip
    try:
        note = parse_note(data.decode())
    except (ClientError, UnicodeDecodeError):
        return
    assert not note.signed_by(SIGNER.public)


def test_a_wrong_line_beside_a_right_one_is_wrong() -> None:
    note = parse_note(NOTE)
    forged = type(note.signatures[0])(SIGNER.name, SIGNER.public.id, bytes(64))
    assert not type(note)(note.text, (*note.signatures, forged)).signed_by(SIGNER.public)


def test_names_part_keys() -> None:
    other = Signer("proctor/ab/w1", KEY)
    assert other.public.id != SIGNER.public.id
    assert not parse_note(NOTE).signed_by(other.public)
    assert not signed(TEXT, [other]).signed_by(SIGNER.public)


def test_what_another_kind_of_key_signed_is_carried_along() -> None:
    note = parse_note(NOTE + "\u2014 witness.example AAAAAAECAwQ=\n")
    assert [each.name for each in note.signatures] == ["proctor/ab/w0", "witness.example"]
    assert note.signed_by(SIGNER.public)


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\n", "a\n\n", "a\n\nb\n", "a\n\n— x\n", "a\n\n— x AA==\n", "a\n\n— x y z\n",
        "a\x01b\n\n— x AAAAAAA=\n", "a\n\n— x AAAAAAA=", "a\n\n— x AAAAAAB=\n",
        "a\n\n-- x AAAAAAA=\n", "a\n\n—  AAAAAAA=\n", "a\n\n" + "— x AAAAAAA=\n" * 101,
        "a" * MAX_NOTE + "\n\n— x AAAAAAA=\n",
    ],
)  # fmt: skip
def test_no_notes(text: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_note(text)
    assert caught.value.code == "note-malformed"


VKEY = str(SIGNER.public)


@pytest.mark.parametrize("at", range(len(VKEY)))
def test_a_key_cut_short_is_no_key(at: int) -> None:
    with pytest.raises(ClientError) as caught:
        VerifierKey.parse(VKEY[:at])
    assert caught.value.code == "vkey-malformed"


@pytest.mark.parametrize(
    "vkey",
    [
        "a+b+c",
        VKEY.replace("proctor", "procter"),
        VKEY.replace("+A", "+B"),
        "x" * 5000,
        "a b+00+AA",
    ],
)
def test_no_keys(vkey: str) -> None:
    with pytest.raises(ClientError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_no_names(name: str) -> None:
    with pytest.raises(ValueError, match="verifier key"):
        VerifierKey(name, bytes(32))


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    assert not VerifierKey("a", b"\xff" * 32).verify(bytes(64), b"")

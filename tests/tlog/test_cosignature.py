"""Cosignatures: the specification's own example form, changed anywhere, and k of n."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.tlog.cosignature import Cosigner, CosignerKey, Policy, parse_lines, signers
from proctor.tlog.note import Note, Signature, Signer
from tests.support.logs import Log

NOTE = Log().add(3).note(None, "time 2026-11-22T14:00:00.000000Z")
TIME = 1_679_315_147


def cosigner(seed: int, name: str = "") -> Cosigner:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Cosigner(name or f"witness.example/w{seed}", key)


ONE, TWO, THREE = map(cosigner, (11, 12, 13))


def with_lines(*lines: Signature) -> Note:
    return Note(NOTE.text, (*NOTE.signatures, *lines))


def test_what_is_signed_is_what_the_specification_says() -> None:
    signature = ONE.sign(NOTE.text, TIME)
    message = f"cosignature/v1\ntime {TIME}\n{NOTE.text}".encode()
    assert signature.blob[:8] == TIME.to_bytes(8, "big")
    ONE.key.public_key().verify(signature.blob[8:], message)
    assert ONE.public.times(with_lines(signature)) == (TIME,)


def test_its_key_is_none_that_signs_notes() -> None:
    assert ONE.public.id != Signer(ONE.name, ONE.key).public.id
    plain = Signer(ONE.name, ONE.key).sign(NOTE.text)
    assert ONE.public.times(with_lines(plain)) == ()


def test_a_vkey_comes_back() -> None:
    vkey = str(ONE.public)
    assert CosignerKey.parse(vkey) == ONE.public
    for at in range(len(vkey)):
        with pytest.raises(ClientError):
            CosignerKey.parse(vkey[:at])
    with pytest.raises(ClientError):
        CosignerKey.parse(str(Signer(ONE.name, ONE.key).public))


@given(st.text(max_size=200))
def test_any_text_is_no_vkey(text: str) -> None:
    with pytest.raises(ClientError):
        CosignerKey.parse(text)


def test_one_changed_bit_rejects_the_note() -> None:
    good = ONE.sign(NOTE.text, TIME)
    for bit in range(72 * 8):
        blob = bytearray(good.blob)
        blob[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ClientError) as caught:
            ONE.public.times(with_lines(good, replace(good, blob=bytes(blob))))
        assert caught.value.code == "cosignature-wrong"


@pytest.mark.parametrize("length", [0, 1, 8, 71, 73])
def test_a_signature_of_another_length(length: int) -> None:
    good = ONE.sign(NOTE.text, TIME)
    blob = (good.blob + b"\0")[:length]
    with pytest.raises(ClientError):
        ONE.public.times(with_lines(replace(good, blob=blob)))


def test_a_time_that_is_none() -> None:
    for time in (0, -1, 2**63):
        with pytest.raises(ValueError, match="time"):
            ONE.sign(NOTE.text, time)


def test_another_text_is_another_checkpoint() -> None:
    signature = ONE.sign(NOTE.text.replace("14:00", "14:01"), TIME)
    with pytest.raises(ClientError):
        ONE.public.times(with_lines(signature))


def test_so_many_of_so_many() -> None:
    keys = (ONE.public, TWO.public, THREE.public)
    lines = [each.sign(NOTE.text, TIME + n) for n, each in enumerate((ONE, TWO))]
    assert Policy(keys=keys, needed=2).check(with_lines(*lines)) == {
        ONE.name: TIME,
        TWO.name: TIME + 1,
    }
    with pytest.raises(ClientError) as caught:
        Policy(keys=keys, needed=3).check(with_lines(*lines, lines[0]))
    assert caught.value.code == "cosignatures-missing"
    with pytest.raises(ClientError) as caught:
        Policy(keys=keys, needed=1).check(with_lines(*lines, replace(lines[0], blob=b"x")))
    assert caught.value.code == "cosignature-wrong"


def test_one_key_under_two_names_counts_once() -> None:
    alias = cosigner(11, "elsewhere.example")
    lines = [each.sign(NOTE.text, TIME) for each in (ONE, alias)]
    keys = (ONE.public, alias.public, TWO.public)
    with pytest.raises(ClientError):
        Policy(keys=keys, needed=2).check(with_lines(*lines))
    with pytest.raises(ValueError, match="at most"):
        Policy(keys=(ONE.public, alias.public), needed=2)
    with pytest.raises(ValueError, match="at least"):
        Policy(keys=keys, needed=0)


def test_lines_of_others_are_left_alone() -> None:
    answer = "".join(each.sign(NOTE.text, TIME).line() for each in (ONE, TWO))
    note = parse_lines(answer, NOTE.text)
    assert signers(note, [TWO.public]) == (TWO.sign(NOTE.text, TIME),)
    for at in range(len(answer)):
        cut = answer[:at]
        if not cut.endswith("\n"):
            with pytest.raises(ClientError):
                parse_lines(cut, NOTE.text)


def test_a_key_has_a_name_and_32_bytes() -> None:
    for name, public in (("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a", b"x")):
        with pytest.raises(ValueError, match="cosigner"):
            CosignerKey(name, public)

"""Proofs as files: their golden form, cut and changed everywhere, and what they prove to whom."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.tlog.note import Note, VerifierKey
from proctor.tlog.prooffile import MAX_CONSISTENCY, ConsistencyFile, InclusionFile, checked
from tests.support.logs import Log

LOG = Log().add(5)
PROOF = LOG.proof(2)
REQUEST = LOG.request(3)

# The layout of c2sp.org/tlog-proof; the root is that of `printf '\0hello' | sha256sum`.
GOLDEN = """\
c2sp.org/tlog-proof@v1
extra aGVsbG8=
index 0

example.com/log
1
iipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCc=

— example.com/log """


def code(text: str, kind: type[InclusionFile] | type[ConsistencyFile]) -> str:
    with pytest.raises(ClientError) as caught:
        kind.parse(text)
    return caught.value.code


def test_the_form_is_that_of_the_specification() -> None:
    log = Log(origin="example.com/log", data=[b"hello"])
    assert str(log.proof(0)).startswith(GOLDEN)


def test_what_is_written_is_what_is_read() -> None:
    assert InclusionFile.parse(str(PROOF)) == PROOF
    assert ConsistencyFile.parse(str(REQUEST)) == REQUEST
    bare = replace(PROOF, extra=None)
    assert InclusionFile.parse(str(bare)) == bare
    empty = replace(PROOF, extra=b"")
    assert InclusionFile.parse(str(empty)) == empty


def test_a_file_and_a_key_are_all_it_takes() -> None:
    for index in range(5):
        proof = InclusionFile.parse(str(LOG.proof(index)))
        assert proof.check(LOG.key).size == 5
    assert REQUEST.check(LOG.key, LOG.note(3)).size == 5


def test_a_cut_file_is_none() -> None:
    for at in range(len(str(PROOF))):
        assert code(str(PROOF)[:at], InclusionFile) in {"proof-malformed", "note-malformed"}


def test_a_cut_request_is_none() -> None:
    for at in range(len(str(REQUEST))):
        assert code(str(REQUEST)[:at], ConsistencyFile) in {"proof-malformed", "note-malformed"}


@given(st.integers(0, len(str(PROOF)) - 1), st.characters(codec="utf-8"))
def test_one_changed_character_proves_nothing(at: int, char: str) -> None:
    text = str(PROOF)
    changed = text[:at] + char + text[at + 1 :]
    if changed == text:
        return
    with pytest.raises(ClientError):
        InclusionFile.parse(changed).check(LOG.key)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, f"c2sp.org/tlog-proof@v1\n{text}", f"old 3\n{text}", f"{text}\n\n{text}"):
        for kind in (InclusionFile, ConsistencyFile):
            with pytest.raises(ClientError):
                kind.parse(whole)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("extra ", "extra  "),
        ("extra ", "Extra "),
        ("index 2", "index 02"),
        ("index 2", "index -2"),
        ("index 2", "index 2 "),
        ("index 2", f"index {2**63}"),
        ("index 2\n", "index 2\nindex 2\n"),
        ("index 2\n", f"index 2\n{'A' * 43}=\n" + f"{'A' * 43}=\n" * 63),
    ],
)
def test_lines_that_are_malformed(old: str, new: str) -> None:
    assert code(str(PROOF).replace(old, new, 1), InclusionFile) == "proof-malformed"


def test_a_request_that_is_too_large() -> None:
    assert code("old 0\n\n" + "x" * MAX_CONSISTENCY, ConsistencyFile) == "proof-malformed"


def refused(code: str, proof: InclusionFile, key: VerifierKey, record: bytes | None = None) -> None:
    with pytest.raises(ClientError) as caught:
        proof.check(key, record)
    assert caught.value.code == code


def test_what_does_not_prove_it() -> None:
    refused("proof-wrong", replace(PROOF, extra=b"another"), LOG.key)
    refused("proof-wrong", PROOF, LOG.key, b"another")
    refused("proof-wrong", replace(PROOF, index=3), LOG.key)
    refused("proof-empty", replace(PROOF, extra=None), LOG.key)
    refused("checkpoint-unsigned", PROOF, Log(seed=2).key)
    refused("checkpoint-unsigned", PROOF, Log(origin="another").key)
    assert PROOF.check(LOG.key, LOG.data[2]).size == 5


def test_a_wrong_signature_of_the_key_is_not_outvoted() -> None:
    note = LOG.note()
    (good,) = note.signatures
    both = Note(note.text, (good, replace(good, blob=bytes(64))))
    with pytest.raises(ClientError):
        checked(both, LOG.key)


def test_a_consistency_file_about_another_beginning() -> None:
    with pytest.raises(ClientError, match="begins elsewhere"):
        REQUEST.check(LOG.key, LOG.note(4))
    fork = Log().add(3, "another")
    with pytest.raises(ClientError) as caught:
        REQUEST.check(LOG.key, fork.note())
    assert caught.value.code == "proof-wrong"

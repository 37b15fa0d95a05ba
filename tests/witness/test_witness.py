"""The rules of tlog-witness, one by one, and the same log torn at by many at once."""

import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import Cosigner, parse_lines
from proctor.tlog.note import Note, VerifierKey, signed
from proctor.tlog.prooffile import ConsistencyFile
from proctor.tlog.tree import EMPTY_ROOT
from proctor.witness.kept import Kept, name_of
from proctor.witness.witness import PER_MINUTE, Answer, Witness
from tests.support.logs import ORIGIN, Log
from tests.support.rfc6962 import mth, subproof

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
COSIGNER = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))


@pytest.fixture
def log() -> Log:
    return Log().add(8)


@pytest.fixture
def witness(tmp_path: Path, log: Log) -> Iterator[Witness]:
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        yield make(kept, log)


def make(kept: Kept, log: Log) -> Witness:
    return Witness(
        kept,
        COSIGNER,
        keys_for=lambda origin: (log.key,) if origin == ORIGIN else (),
        clock=lambda: NOW,
    )


def ask(witness: Witness, request: ConsistencyFile) -> Answer:
    return witness.add(str(request).encode())


def test_a_log_that_grows_is_cosigned(witness: Witness, log: Log) -> None:
    old = 0
    for size in (3, 5, 8):
        request = log.request(old, size)
        answer = ask(witness, request)
        assert answer.status == 200
        note = parse_lines(answer.body, request.note.text)
        assert COSIGNER.public.times(note) == (int(NOW.timestamp()),)
        old = size
    kept = witness.latest(name_of(ORIGIN))
    assert kept is not None
    assert kept.startswith(f"{log.note().text}\n— {ORIGIN} ")
    assert [head.checkpoint.size for head in witness.heads()] == [8]


def test_who_it_does_not_know(witness: Witness) -> None:
    other = Log(origin=f"proctor/{'4e' * 16}/w0").add(1)
    assert ask(witness, other.request(0)).status == 404


def test_who_did_not_sign(witness: Witness, log: Log) -> None:
    forged = Log(seed=9, data=log.data)
    assert ask(witness, forged.request(0)).status == 403
    request = log.request(0)
    (good,) = request.note.signatures
    bad = replace(good, blob=bytes(64))
    for lines in ((bad,), (good, bad), (bad, good)):
        note = Note(request.note.text, lines)
        assert ask(witness, replace(request, note=note)).status == 403
    stranger = Log(seed=9, data=log.data).note().signatures
    note = Note(request.note.text, (*stranger, good))
    assert ask(witness, replace(request, note=note)).status == 200
    kept = witness.latest(name_of(ORIGIN))
    assert kept is not None
    assert kept.count("\u2014 ") == 2, "lines that nobody verified are not kept"


def test_an_old_size_beyond_the_checkpoint(witness: Witness, log: Log) -> None:
    assert ask(witness, log.request(0, 5)).status == 200
    assert ask(witness, replace(log.request(0, 3), old=4)).status == 400


def test_an_old_size_that_is_not_its_own(witness: Witness, log: Log) -> None:
    assert ask(witness, log.request(3, 5)) == Answer(
        status=409, body="0\n", kind="text/x.tlog.size"
    )
    assert ask(witness, log.request(0, 5)).status == 200
    for old in (0, 3, 6):
        answer = ask(witness, log.request(old, 8))
        assert (answer.status, answer.body) == (409, "5\n")
    assert ask(witness, log.request(0, 3)).status == 409, "it never goes back"


def test_a_proof_that_does_not_hold(witness: Witness, log: Log) -> None:
    assert ask(witness, replace(log.request(0, 5), proof=(bytes(32),))).status == 422
    assert ask(witness, log.request(0, 5)).status == 200
    good = log.request(5, 8)
    assert ask(witness, replace(good, proof=())).status == 422
    assert ask(witness, replace(good, proof=good.proof[:-1])).status == 422
    assert ask(witness, replace(good, proof=(*good.proof, bytes(32)))).status == 422
    fork = Log().add(8, "another")
    assert ask(witness, fork.request(5, 8)).status == 422
    assert ask(witness, fork.request(5, 5)).status == 422
    assert ask(witness, replace(log.request(5, 5), proof=(bytes(32),))).status == 422
    assert ask(witness, good).status == 200


def test_a_log_without_leaves(witness: Witness, log: Log) -> None:
    odd = signed(str(Checkpoint(ORIGIN, 0, bytes(32))), [log.signer])
    assert ask(witness, ConsistencyFile(old=0, proof=(), note=odd)).status == 422
    empty = signed(str(Checkpoint(ORIGIN, 0, EMPTY_ROOT)), [log.signer])
    assert ask(witness, ConsistencyFile(old=0, proof=(), note=empty)).status == 200
    assert ask(witness, log.request(0, 2)).status == 200


def test_an_idle_log_is_cosigned_again(witness: Witness, log: Log) -> None:
    requests = [log.request(0, 8, "time 1")] + [log.request(8, 8, f"time {n}") for n in (2, 2, 3)]
    assert [ask(witness, each).status for each in requests] == [200] * 4
    history = witness.history(ORIGIN)
    assert history is not None
    assert b"".join(history).count(b"\n") == 3, "the same twice is kept once"


def test_what_is_no_request(witness: Witness) -> None:
    assert witness.add(b"\xff\xfe").status == 400
    assert witness.add(b"").status == 400
    assert witness.latest(name_of(ORIGIN)) is None
    assert witness.history(ORIGIN) is None


def test_a_signed_note_that_is_no_checkpoint(witness: Witness, log: Log) -> None:
    note = signed(f"{ORIGIN}\nfive\n", [log.signer])
    assert ask(witness, ConsistencyFile(old=0, proof=(), note=note)).status == 400


BODY = str(Log().add(8).request(5)).encode()


def test_a_request_that_is_cut(witness: Witness, log: Log) -> None:
    assert ask(witness, log.request(0, 5)).status == 200
    for at in range(len(BODY)):
        assert witness.add(BODY[:at]).status == 400
    assert witness.add(BODY).status == 200


@given(st.binary(max_size=300), st.integers(0, len(BODY)))
def test_anything_else_is_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, at: int
) -> None:
    with Kept(tmp_path_factory.mktemp("state"), COSIGNER.public) as kept:
        witness = make(kept, Log())
        assert witness.add(raw).status == 400
        changed = BODY[:at] + raw + BODY[at:]
        assert witness.add(changed).status in {400, 403, 404, 409}
        assert witness.heads() == []


# What a Go client sent to another witness in its tests: filippo.io/torchwood,
# cmd/litewitness/testdata/litewitness.txt.
GO_ORIGIN = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
GO_KEY = bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f")
GO_NOTES = {
    1: (
        "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    ),
    3: (
        "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
        "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
    ),
    5: (
        "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
        "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
    ),
}
GO_TO_3 = [
    "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]
GO_TO_5 = [
    "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=",
    "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]


def go_body(old: int, proof: list[str], size: int, origin: str = GO_ORIGIN) -> bytes:
    root, signature = GO_NOTES[size]
    head = "".join(f"{line}\n" for line in (f"old {old}", *proof))
    return f"{head}\n{origin}\n{size}\n{root}\n\n\u2014 {origin} {signature}\n".encode()


def test_what_a_client_in_go_sends(tmp_path: Path) -> None:
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        key = VerifierKey(GO_ORIGIN, GO_KEY)
        witness = Witness(
            kept,
            COSIGNER,
            keys_for=lambda origin: (key,) if origin == GO_ORIGIN else (),
            clock=lambda: NOW,
        )
        swapped = [GO_TO_3[0], GO_TO_3[1].replace("AAA=", "ABA=")]
        asked = [
            (go_body(0, [], 1), 200),
            (go_body(1, GO_TO_3, 3).replace(b"RcCI", b"RcCJ"), 403),
            (go_body(1, GO_TO_3, 3, GO_ORIGIN[:-1] + "3"), 404),
            (go_body(1, [], 3), 422),
            (go_body(1, swapped, 3), 422),
            (go_body(1, GO_TO_3, 3), 200),
            (go_body(1, GO_TO_5, 5), 409),
            (go_body(3, GO_TO_5, 5), 200),
            (go_body(0, [], 5), 409),
        ]
        for body, status in asked:
            assert witness.add(body).status == status
        assert witness.add(go_body(0, [], 5)).body == "5\n"


def test_a_client_written_from_the_specification(witness: Witness, log: Log) -> None:
    old = 0
    for size in (1, 2, 3, 7, 8):
        lines = [f"old {old}"]
        if old:
            lines += [b64encode(each).decode() for each in subproof(old, log.data[:size], b=True)]
        root = b64encode(mth(log.data[:size])).decode()
        text = f"{ORIGIN}\n{size}\n{root}\n"
        blob = log.key.id + log.signer.key.sign(text.encode())
        signature = f"\u2014 {ORIGIN} {b64encode(blob).decode()}\n"
        answer = witness.add(("\n".join(lines) + f"\n\n{text}\n{signature}").encode())
        assert answer.status == 200
        dash, name, encoded = answer.body.removesuffix("\n").split(" ")
        raw = b64decode(encoded)
        assert (dash, name, raw[:4]) == ("\u2014", COSIGNER.name, COSIGNER.public.id)
        time = int.from_bytes(raw[4:12], "big")
        signed_text = f"cosignature/v1\ntime {time}\n{text}".encode()
        COSIGNER.key.public_key().verify(raw[12:], signed_text)
        old = size


def test_only_one_of_many_at_once_comes_next(witness: Witness, log: Log) -> None:
    assert ask(witness, log.request(0, 2)).status == 200
    requests = [log.request(2, size) for size in (3, 4, 5, 6, 7, 8)]
    found: list[tuple[int, int]] = []
    start = threading.Barrier(len(requests))

    def go(request: ConsistencyFile) -> None:
        start.wait()
        size = Checkpoint.parse(request.note.text).size
        found.append((ask(witness, request).status, size))

    threads = [threading.Thread(target=go, args=(each,)) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in found) == [200] + [409] * 5
    (winner,) = [size for status, size in found if status == 200]
    assert [head.checkpoint.size for head in witness.heads()] == [winner]


def test_a_checkpoint_of_any_size_is_not_kept(witness: Witness, log: Log) -> None:
    answer = ask(witness, log.request(0, 3, "x" * 4096))
    assert (answer.status, answer.body.partition("]")[0]) == (413, "[body-too-large")
    assert witness.heads() == []


def test_one_log_may_not_ask_too_often(tmp_path: Path, log: Log) -> None:
    now = [0.0]
    stranger = Log(seed=9).add(1).request(0)
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        witness = Witness(
            kept,
            COSIGNER,
            keys_for=lambda _: (log.key,),
            clock=lambda: NOW,
            monotonic=lambda: now[0],
        )
        for _ in range(PER_MINUTE + 1):
            assert ask(witness, stranger).status == 403  # what others send does not count
        request = log.request(0, 0)
        assert {ask(witness, request).status for _ in range(PER_MINUTE)} == {200}
        assert ask(witness, request).status == 429
        now[0] = 1.0
        assert ask(witness, request).status == 200

"""A writer's checkpoints: cut, changed, exchanged, forked."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from proctor.evidence.keys import origin_of
from proctor.evidence.ledger import NO_HEAD, Stand
from proctor.evidence.statement import FIRST, Statement
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.signed import SealedLog, read_log
from proctor.evidence.verify.trust import ALWAYS, TrustedKey
from proctor.tlog.note import Signer, signed
from tests.evidence.verify.test_hot import files

STORE = "ab" * 16
ORIGIN = origin_of(STORE, "w0")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
START = datetime(2026, 11, 22, 14, tzinfo=UTC)
KEYS = (TrustedKey(number=1, public=KEY.public_key().public_bytes_raw(), since=ALWAYS, until=None),)


def line(said: Statement, key: Ed25519PrivateKey = KEY) -> bytes:
    return json.dumps(str(signed(str(said), [Signer(said.origin, key)]))).encode() + b"\n"


def history(count: int = 4) -> list[Statement]:
    """The last one ends it."""
    found: list[Statement] = []
    for number in range(count):
        time = START + timedelta(minutes=number)
        found.append(
            Statement(
                origin=ORIGIN,
                size=number * 10,
                root=bytes([number]) * 32,
                time=time,
                due=time + timedelta(minutes=2) if number < count - 1 else None,
                after=found[-1].hash if found else FIRST,
                ledger=Stand(0, NO_HEAD),
            )
        )
    return found


WHOLE = [line(each) for each in history()]


def read(data: bytes, now: datetime = START) -> tuple[SealedLog, Findings]:
    findings = Findings()
    log = read_log(
        files(checkpoints=data),
        store_id=STORE,
        keys=KEYS,
        now=now,
        findings=findings,
    )
    return log, findings


def test_what_is_whole() -> None:
    log, findings = read(b"".join(WHOLE), START + timedelta(days=9))
    assert not findings.counts
    assert (len(log.sealed), log.key, log.last and log.last.due) == (4, 1, None)


def test_cut_at_every_byte() -> None:
    data = b"".join(WHOLE)
    ends = {len(b"".join(WHOLE[:count])) for count in range(5)}
    late = START + timedelta(days=1)
    for at in range(len(data)):
        found = read(data[:at], late)[1]
        last = "not-signed" if at < len(WHOLE[0]) else "ended-unannounced"
        assert found.codes() == {last}, at
        assert found.codes(Level.NOTICE) == (set() if at in ends else {"checkpoint-torn"})


def test_changed_at_any_byte() -> None:
    data = b"".join(WHOLE)
    for at in range(0, len(data), 5):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert read(changed)[1].problems


def test_taken_out_put_in_and_exchanged() -> None:
    one, two, three, four = WHOLE
    assert read(one + three + four)[1].codes() == {"checkpoint-chain"}
    assert "checkpoint-chain" in read(two + three + four)[1].codes()
    assert "checkpoint-chain" in read(one + one + two + three + four)[1].codes()
    assert {"checkpoint-chain", "checkpoint-backwards"} <= read(one + three + two + four)[1].codes()


def test_what_the_true_key_should_not_have_signed() -> None:
    *_, last = history()
    more = replace(last, after=last.hash, due=None)
    whole = b"".join(WHOLE)
    fork = replace(more, root=b"\xff" * 32)
    assert read(whole + line(fork))[1].codes() == {"forked"}
    assert read(whole + line(replace(more, size=5)))[1].codes() == {"checkpoint-backwards"}
    foreign = replace(more, origin=origin_of(STORE, "w1"))
    assert "checkpoint-foreign" in read(whole + line(foreign))[1].codes()
    back = replace(more, time=START)
    assert read(whole + line(back))[1].codes(Level.NOTICE) == {"clock-back"}
    assert "signature-wrong" in read(whole + line(more, Ed25519PrivateKey.generate()))[1].codes()


def test_a_promise_that_was_not_kept() -> None:
    data = b"".join(WHOLE[:2])
    assert not read(data, START + timedelta(minutes=3))[1].counts
    assert read(data, START + timedelta(minutes=4))[1].codes() == {"ended-unannounced"}
    late = replace(history()[2], time=START + timedelta(hours=1), due=None, after=history()[1].hash)
    log, findings = read(data + line(late))
    assert not findings.problems
    (gap,) = log.gaps
    assert (gap.before.size, gap.after.size) == (10, 20)


@given(st.lists(st.one_of(st.sampled_from(WHOLE), st.binary(max_size=40)), max_size=6))
def test_any_lines(lines: list[bytes]) -> None:
    data = b"".join(lines)
    _, findings = read(data, START + timedelta(days=1))
    assert findings.problems or data == b"".join(WHOLE)

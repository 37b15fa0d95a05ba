"""The gateway's side of a witness: our own, a strict one from the specification, and bad ones."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.errors import InternalError, ProctorError, UpstreamError
from proctor.evidence import cosigned
from proctor.evidence.leaves import write_leaves
from proctor.evidence.witnessing import HttpPost, Reply, WitnessAnchor
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import Cosigner, parse_lines
from proctor.tlog.note import Note
from proctor.witness.kept import Kept
from proctor.witness.witness import Witness
from tests.support.logs import ORIGIN, Log
from tests.support.rfc6962 import mth, subproof

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
COSIGNER = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
LOG = Log().add(20)
URL = "https://witness.example/proctor"


@pytest.fixture
def writers(tmp_path: Path) -> Path:
    (tmp_path / "writers" / "w0").mkdir(parents=True)
    write_leaves(tmp_path / "writers" / "w0", 0, LOG.array)
    return tmp_path / "writers"


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        yield Witness(kept, COSIGNER, keys_for=lambda _: (LOG.key,), clock=lambda: NOW)


class Wire:
    """Hands requests to somebody, and remembers what came back."""

    def __init__(self, answer: Callable[[bytes], Reply]) -> None:
        self.answer = answer
        self.statuses: list[int] = []

    async def __call__(self, url: str, body: bytes) -> Reply:
        assert url == f"{URL}/add-checkpoint"
        reply = self.answer(body)
        self.statuses.append(reply.status)
        return reply


def ours(witness: Witness) -> Wire:
    def answer(body: bytes) -> Reply:
        found = witness.add(body)
        return Reply(status=found.status, body=found.body.encode())

    return Wire(answer)


def anchor(writers: Path, wire: Wire) -> WitnessAnchor:
    return WitnessAnchor(URL, COSIGNER.public, writers=writers, post=wire, clock=lambda: NOW)


def take(place: WitnessAnchor, *notes: Note) -> None:
    for note in notes:
        asyncio.run(place.take(note, Checkpoint.parse(note.text)))


def failure(place: WitnessAnchor, note: Note) -> ProctorError:
    with pytest.raises((UpstreamError, InternalError)) as caught:
        take(place, note)
    found: ProctorError = caught.value
    return found


def test_our_own_witness(writers: Path, witness: Witness) -> None:
    wire = ours(witness)
    notes = [LOG.note(size, f"time {n}") for n, size in enumerate((3, 7, 7, 20))]
    take(anchor(writers, wire), *notes)
    assert wire.statuses == [200] * 4
    kept = list(cosigned.read(writers / "w0"))
    assert [each.size for each in kept] == [3, 7, 7, 20]
    for note, each in zip(notes, kept, strict=True):
        assert (each.checkpoint, each.origin) == (cosigned.text_hash(note.text), ORIGIN)
        assert each.at == "2026-11-22T14:00:00Z"
        assert COSIGNER.public.times(parse_lines(each.line, note.text)) == (1795356000,)


def test_it_goes_on_after_a_restart(writers: Path, witness: Witness) -> None:
    take(anchor(writers, ours(witness)), LOG.note(7))
    wire = ours(witness)
    take(anchor(writers, wire), LOG.note(9))
    assert wire.statuses == [200]


def test_it_asks_where_the_witness_is_if_it_lost_its_own_notes(
    writers: Path, witness: Witness
) -> None:
    take(anchor(writers, ours(witness)), LOG.note(7))
    (writers / "w0" / cosigned.NAME).unlink()
    wire = ours(witness)
    take(anchor(writers, wire), LOG.note(9), LOG.note(20))
    assert wire.statuses == [409, 200, 200]


@dataclass
class Strict:
    """A witness that knows every leaf, and compares with the definition, letter by letter."""

    size: int = 0

    def __call__(self, body: bytes) -> Reply:
        head, _, note = body.decode().partition("\n\n")
        begins, *proof = head.split("\n")
        origin, size, root, *_ = note.split("\n")
        assert origin == ORIGIN
        assert Checkpoint.parse(note.partition("\n\n")[0] + "\n").root == mth(LOG.data[: int(size)])
        assert root
        if begins != f"old {self.size}":
            return Reply(status=409, body=f"{self.size}\n".encode())
        found = self.size and subproof(self.size, LOG.data[: int(size)], b=True)
        written = "".join(f"{line}\n" for line in proof)
        assert written == "".join(f"{b64encode(each).decode()}\n" for each in found or [])
        self.size = int(size)
        text = note.partition("\n\n")[0] + "\n"
        return Reply(status=200, body=COSIGNER.sign(text, 1).line().encode())


def test_a_strict_witness(writers: Path) -> None:
    for first in range(1, 20):
        wire = Wire(Strict(size=first))
        take(anchor(writers, wire), *(LOG.note(size) for size in range(first, 21)))
        assert wire.statuses == [409] + [200] * (21 - first)
        (writers / "w0" / cosigned.NAME).unlink()


def test_a_witness_that_forgot_is_told_all_again(writers: Path) -> None:
    strict = Strict()
    place = anchor(writers, Wire(strict))
    take(place, LOG.note(9))
    strict.size = 4
    take(place, LOG.note(20))
    assert strict.size == 20


def test_a_witness_that_has_seen_more_is_an_alarm(writers: Path, witness: Witness) -> None:
    take(anchor(writers, ours(witness)), LOG.note(20))
    found = failure(anchor(writers, ours(witness)), LOG.note(7))
    assert (found.code, found.got) == ("anchor-ahead", f"20 records at {URL}")


def test_a_witness_that_has_seen_another_history_is_an_alarm(
    writers: Path, witness: Witness
) -> None:
    fork = Log().add(20, "another")
    assert witness.add(str(fork.request(0, 7)).encode()).status == 200
    assert failure(anchor(writers, ours(witness)), LOG.note(9)).code == "anchor-forked"
    assert list(cosigned.read(writers / "w0")) == []


def test_leaves_that_are_not_what_was_signed_are_an_alarm(writers: Path, witness: Witness) -> None:
    write_leaves(writers / "w0", 2, bytes(32))
    assert failure(anchor(writers, ours(witness)), LOG.note(9)).code == "anchor-forked"


def test_leaves_that_are_missing(writers: Path, witness: Witness) -> None:
    (writers / "w0" / "leaves").write_bytes(LOG.array[:100])
    assert failure(anchor(writers, ours(witness)), LOG.note(9)).code == "leaves-short"


@pytest.mark.parametrize("status", [301, 400, 403, 404, 418, 429, 500, 503])
def test_a_witness_that_says_no(writers: Path, status: int) -> None:
    found = failure(
        anchor(writers, Wire(lambda _: Reply(status=status, body=b"secret"))), LOG.note()
    )
    assert found.code == "anchor-refused"
    assert "secret" not in str(found)
    assert bool(found.hint) is (status in {403, 404})


@pytest.mark.parametrize(
    "body", [b"", b"7", b"7\n\n", b"-1\n", b"07\n", b" 7\n", b"\xff\n", b"9" * 30 + b"\n"]
)
def test_a_conflict_without_a_size(writers: Path, body: bytes) -> None:
    found = failure(anchor(writers, Wire(lambda _: Reply(status=409, body=body))), LOG.note())
    assert found.code == "anchor-answer"


def test_a_conflict_that_never_ends(writers: Path) -> None:
    wire = Wire(lambda _: Reply(status=409, body=b"3\n"))
    assert failure(anchor(writers, wire), LOG.note()).code == "anchor-refused"
    assert wire.statuses == [409, 409]


def test_an_answer_that_is_not_the_witnesss(writers: Path) -> None:
    note = LOG.note()
    other = Cosigner(COSIGNER.name, Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    good = COSIGNER.sign(note.text, 1).line()
    bad = COSIGNER.sign(f"{note.text}more\n", 1).line()
    for answer in ("", "ok", other.sign(note.text, 1).line(), bad, good + bad, good[:-1], "\n"):
        wire = Wire(lambda _, answer=answer: Reply(status=200, body=answer.encode()))  # type: ignore[misc]
        assert failure(anchor(writers, wire), note).code == "anchor-answer"
    wire = Wire(lambda _: Reply(status=200, body=b"\xff"))
    assert failure(anchor(writers, wire), note).code == "anchor-answer"
    assert list(cosigned.read(writers / "w0")) == []
    both = other.sign(note.text, 1).line() + good
    take(anchor(writers, Wire(lambda _: Reply(status=200, body=both.encode()))), note)
    assert [each.line for each in cosigned.read(writers / "w0")] == [good]


def test_nobody_there() -> None:
    async def go() -> str:
        post = HttpPost()
        try:
            with pytest.raises(UpstreamError) as caught:
                await post("http://127.0.0.1:9/add-checkpoint", b"")
        finally:
            await post.close()
        return caught.value.code

    assert asyncio.run(go()) == "anchor-unreachable"


def test_an_answer_without_end_and_a_redirect() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/loop/" in head:
            writer.write(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 100_000)
        await writer.drain()
        writer.close()

    async def go() -> tuple[str, int]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        post = HttpPost()
        try:
            with pytest.raises(UpstreamError) as caught:
                await post(f"http://127.0.0.1:{port}/add-checkpoint", b"x")
            reply = await post(f"http://127.0.0.1:{port}/loop/add-checkpoint", b"x")
        finally:
            await post.close()
            server.close()
        return caught.value.code, reply.status

    assert asyncio.run(go()) == ("anchor-answer", 302)

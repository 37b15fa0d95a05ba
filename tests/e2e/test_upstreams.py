"""Upstreams that mean harm or are broken, clients that leave: nothing hangs or is mixed up."""

import gzip
import json
import socket
import threading

import psutil
import pytest

from proctor.testing.service import Fault
from tests.support.live import read_answer
from tests.support.origin import OK
from tests.support.scripted import Conversation, answering
from tests.support.stage import MIB, Stage
from tests.support.stock import BODY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_gzip_bomb_is_not_unpacked(stage: Stage) -> None:
    bomb = gzip.compress(b"x" * (256 * MIB), 9)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    stage.origin.reset(answering(head + bomb))
    process = psutil.Process(stage.gateway.process.pid)
    before = process.memory_info().rss
    answer = stage.send(stage.head(path="/bomb"))
    assert answer.endswith(bomb)
    assert process.memory_info().rss - before < 32 * MIB
    assert stage.flow("/bomb")["coverage"] != "full"


def test_an_endless_answer_ends_with_its_client(stage: Stage) -> None:
    gone = threading.Event()

    def endless(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                conversation.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        finally:
            gone.set()

    stage.origin.reset(endless)
    process = psutil.Process(stage.gateway.process.pid)
    before = process.memory_info().rss
    with stage.connect("raw") as connection:
        connection.sendall(stage.head(path="/endless"))
        taken = 0
        while taken < 50 * MIB:
            taken += len(connection.recv(MIB))
        assert process.memory_info().rss - before < 48 * MIB
    assert gone.wait(30)
    assert stage.flow("/endless")["error"]


def test_a_slow_reader_holds_the_upstream_back(stage: Stage) -> None:
    size = 200 * MIB
    sent = [0]
    piece = b"x" * MIB

    def large(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            conversation.send(piece)
            sent[0] += MIB

    stage.origin.reset(large)
    process = psutil.Process(stage.gateway.process.pid)
    before = process.memory_info().rss
    highest = 0
    pause = threading.Event()
    with stage.connect("raw") as connection:
        connection.sendall(stage.head(path="/large"))
        data = connection.recv(100)
        pause.wait(0.5)  # nothing is read meanwhile: what it takes now, it has to keep
        assert sent[0] < 32 * MIB
        got = len(data.partition(b"\r\n\r\n")[2])
        while got < size:
            got += len(connection.recv(MIB))
            if got % 7 == 0:
                highest = max(highest, process.memory_info().rss - before)
    highest = max(highest, process.memory_info().rss - before)
    assert got == size
    assert highest < 64 * MIB
    assert stage.flow("/large")["response_bytes"] == size


@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_before_the_request_has_ended(stage: Stage, *, whole: bool) -> None:
    """The body is read before anything leaves, so the upstream may only ignore it."""

    def hasty(conversation: Conversation) -> None:
        conversation.head()
        conversation.send(OK if whole else b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")

    stage.origin.reset(hasty)
    body = b"x" * (MIB // 2)
    answer = stage.send(stage.head("POST", "/x", f"content-length: {len(body)}") + body)
    assert answer[:12] in {b"HTTP/1.1 200", b"HTTP/1.1 413", b"HTTP/1.1 502"}
    assert stage.origin.connections == 1


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_informational_answers(stage: Stage, status: bytes) -> None:
    early = b"HTTP/1.1 %s\r\nlink: </a>\r\n\r\n" % status
    stage.origin.reset(answering(early * 3 + OK))
    with stage.connect("raw") as connection:
        for count in range(3):
            connection.sendall(stage.head(path=f"/early{count}"))
            answer = read_answer(connection)
            assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert len(stage.origin.requests) == 3


def test_informational_answers_in_pieces(stage: Stage) -> None:
    def slowly(conversation: Conversation) -> None:
        conversation.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation.request()
        for byte in b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK:
            conversation.send(bytes([byte]))

    stage.origin.reset(slowly)
    assert stage.send(stage.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\netag: x\r\ncontent-length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n"),
    ],
)
def test_answers_without_a_body(stage: Stage, method: str, answer: bytes) -> None:
    """Nothing hangs, and the connection goes on."""
    stage.origin.reset(answering(answer))
    with stage.connect("raw") as connection:
        connection.settimeout(30)
        for _ in range(3):
            connection.sendall(stage.head(method, "/none"))
            got = b""
            while not got.endswith(b"\r\n\r\n"):
                got += connection.recv(65536)
            assert got.startswith(answer[:12])
    assert len(stage.origin.requests) == 3


def test_an_answer_with_trailers(stage: Stage) -> None:
    stage.origin.reset(
        answering(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
            b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
        )
    )
    answer = stage.send(stage.head(path="/trailers"))
    assert b"ok" in answer
    assert answer.endswith(b"0\r\n\r\n")
    assert stage.flow("/trailers")["error"] is None


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_shorter_than_it_says(stage: Stage, *, streamed: bool) -> None:
    size = 2 * MIB if streamed else 10
    path = f"/short-{streamed}"

    def short(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n12345" % size)

    stage.origin.reset(short)
    answer = stage.send(stage.head(path=path))
    # The client can tell: what it got is not what was announced.
    assert answer.startswith(b"HTTP/1.1 502 ") or len(answer) < size
    assert stage.flow(path)["error"]
    assert len(stage.origin.requests) == 1


def test_an_answer_longer_than_it_says(stage: Stage) -> None:
    """What comes after the announced end belongs to no one, least of all to the next client."""
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned"

    def long(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(OK + (poison if conversation.number == 1 else b""))
        while True:
            conversation.request()
            conversation.send(OK)

    stage.origin.reset(long)
    with stage.connect("raw") as connection:
        for _ in range(3):
            connection.sendall(stage.head())
            answer = read_answer(connection)
            assert b"poisoned" not in answer


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nfree",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(50_000)),
    ],
)
def test_answers_that_are_none(stage: Stage, answer: bytes) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(answer)

    stage.origin.reset(script)
    got = stage.send(stage.head())
    assert got.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 503 ")), got[:200]
    assert json.loads(got.partition(b"\r\n\r\n")[2])
    assert len(stage.origin.requests) == 1


def test_a_kept_alive_upstream_that_has_gone(stage: Stage) -> None:
    """A request is neither lost nor sent twice where the upstream hangs up between two."""

    def one_each(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(OK)

    stage.origin.reset(one_each)
    with stage.connect("raw") as connection:
        for _ in range(20):
            connection.sendall(stage.head("POST", "/x", "content-length: 0"))
            assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
    assert len(stage.origin.requests) == 20


def test_an_upstream_that_reads_and_hangs_up_is_asked_once(stage: Stage) -> None:
    def mute(conversation: Conversation) -> None:
        conversation.request()

    stage.origin.reset(mute)
    assert stage.send(stage.head("POST", "/x", "content-length: 0")).startswith(b"HTTP/1.1 502 ")
    assert len(stage.origin.requests) == 1


def test_a_client_that_goes_takes_the_upstream_with_it(stage: Stage) -> None:
    gone: list[bool] = []
    told = threading.Event()

    def waits(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        gone.append(conversation.wait_gone())
        told.set()

    stage.origin.reset(waits)
    with stage.connect("raw") as connection:
        connection.sendall(stage.head(path="/left"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert told.wait(15)
    assert gone == [True]
    assert stage.flow("/left")["error"]


def test_a_stream_of_the_model_cut_by_its_client_is_on_record(stage: Stage) -> None:
    standin = stage.installed.standin
    standin.faults.append(Fault.HELD_MIDWAY)
    body = json.dumps(BODY | {"stream": True}).encode()
    more = (f"content-length: {len(body)}", "anthropic-version: 2023-06-01")
    path = "/v1/messages?beta=true"
    with stage.connect("claude") as connection:
        connection.sendall(stage.head("POST", path, *more) + body)
        answer = b""
        while b"message_start" not in answer:
            answer += connection.recv(65536)
    standin.wait_held()
    try:
        assert stage.flow(path)["error"]
    finally:
        standin.release()  # no sooner: the rest could come before it is seen that the client went

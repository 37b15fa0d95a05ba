"""What judging adds to a tool call that the rules allow: from its end to its being with the client.

Client and model are in this process, so that one clock tells both.
"""

import asyncio
import dataclasses
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, override

import wire
from clients import Target
from figures import Figure, median, percentile
from lab import Lab

COUNT = 6  # of each call, in each of the rounds
_PIECE = 40  # characters of input in one event
_PATIENCE = 30.0
_PING = b'"type":"ping"'
_STOP = b'"type":"content_block_stop"'
_DATA = re.compile(rb"data: (.*)")
_SIZES = (60, 2_000, 20_000)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What the model writes: a tool call; or as much text, where there is no tool."""

    what: str
    tool: str
    input: dict[str, Any]


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """The same calls directly, and through gateways with and without redaction."""
    yield from asyncio.run(_measure(lab, max(1, int(COUNT * rounds * scale))))


async def _measure(lab: Lab, count: int) -> list[Figure]:
    model = _Model()
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ours = dataclasses.replace(lab, origin={**lab.origin, "plain": port})
        with ExitStack() as stack:
            targets = {"direct": ours.target(None)}
            for profile in ("default", "none"):
                made = ours.proctor(f"calls-{profile}", f"redaction: {{profile: {profile}}}\n")
                targets[profile] = ours.target(stack.enter_context(made))
            taken = await _taken(model, targets, count)
    return [*_figures(taken, "default", ""), *_figures(taken, "none", ", no redaction")]


async def _taken(
    model: "_Model", targets: dict[str, Target], count: int
) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by target and call; the first of each does not count."""
    calls = list(_calls())
    taken: dict[str, dict[str, list[float]]] = {
        name: {call.what: [] for call in calls} for name in targets
    }
    loop = asyncio.get_running_loop()
    clients: dict[str, _Client] = {}
    for name, target in targets.items():
        _, clients[name] = await loop.create_connection(
            partial(_Client, target, model), "127.0.0.1", target.port
        )
    try:
        for number in range(count + 1):
            for call in calls:
                for name in sorted(clients, reverse=bool(number % 2)):
                    async with asyncio.timeout(_PATIENCE):
                        came = await clients[name].ask(call)
                    if number:
                        taken[name][call.what].append(came)
    finally:
        for client in clients.values():
            client.close()
    return taken


def _figures(taken: dict[str, dict[str, list[float]]], profile: str, said: str) -> Iterator[Figure]:
    direct, through = (
        [each for what, times in taken[name].items() if what != _TEXT for each in times]
        for name in ("direct", profile)
    )
    by_call = {
        what: median(times) - median(taken["direct"][what])
        for what, times in taken[profile].items()
    }
    shown = ", ".join(f"{what} {by_call[what]:.2f}" for what in _SHOWN)
    yield Figure(
        what=f"allowed tool call, added from its end{said}, p50",
        value=median(through) - median(direct),
        unit="ms",
        goal=1,
        note=f"direct {median(direct):.2f} ms; {shown}; {len(through)} calls",
        details={"added": by_call, "taken": taken[profile], "direct": taken["direct"]},
    )
    worst = {what: percentile(times, 99) for what, times in taken[profile].items()}
    slowest = max(worst, key=lambda what: worst[what])
    yield Figure(
        what=f"allowed tool call, added from its end{said}, p99",
        value=percentile(through, 99) - percentile(direct, 99),
        unit="ms",
        goal=5,
        note=f"direct {percentile(direct, 99):.2f} ms; slowest {slowest}, {worst[slowest]:.2f}",
    )


_TEXT = "text"
_SHOWN = (_TEXT, "Bash 60", "Bash 2000", "Bash 20000", "Edit 20000", "Write 20000")


def _calls() -> Iterator[_Call]:
    """Each tool with each size of input, as Claude Code has them: source, and how it is tested."""
    source = Path(json.__file__).parent.joinpath("decoder.py").read_text(encoding="utf-8")
    source = source * (max(_SIZES) // len(source) + 1)
    yield _Call(what=_TEXT, tool="", input={"text": source[:60]})
    for size in _SIZES:
        half = source[: size // 2]
        script = "cd src && python -m pytest tests/test_decoder.py -q 2>&1 | tail -20"
        if size > len(script):
            script = f"cat > src/decoder.py <<'END'\n{source[:size]}\nEND\n{script}"
        for tool, given in {
            "Bash": {"command": script, "description": "Run the decoder's tests"},
            "Edit": {"file_path": "src/decoder.py", "old_string": half, "new_string": half[::-1]},
            "Write": {"file_path": "src/decoder.py", "content": source[:size]},
        }.items():
            yield _Call(what=f"{tool} {size}", tool=tool, input=given)


class _Model:
    """A Messages API that notes when it has said that a block is over.

    Models write slowly. Here a ping stands before a block's end, and once it has come to the
    client, all before it is dealt with.

    Attributes:
        next: What it says next.
        heard: The client has the last ping, or the block's end.
        ended: When that was said, on `time.perf_counter`.
    """

    def __init__(self) -> None:
        self.next: _Call | None = None
        self.heard = asyncio.Event()
        self.ended = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(size[1]) if size else 0)
                if self.next is None:
                    raise RuntimeError("nobody said what to answer")
                await self._answer(writer, self.next)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, call: _Call) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        before, end, after = _events(call)
        self.heard.clear()
        writer.write(b"".join(map(_chunk, [*before, wire.event("ping")])))
        await self.heard.wait()
        self.heard.clear()
        self.ended = time.perf_counter()
        writer.write(_chunk(end))
        await self.heard.wait()
        writer.write(b"".join(map(_chunk, after)) + _chunk(b""))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _events(call: _Call) -> tuple[list[bytes], bytes, list[bytes]]:
    """What comes before a block's end, that end, and what comes after it."""
    nonce = uuid.uuid4().hex
    if call.tool:
        kind, field, text = "input_json_delta", "partial_json", json.dumps(call.input)
        block = {"type": "tool_use", "id": f"toolu_{nonce}", "name": call.tool, "input": {}}
    else:
        kind, field, text = "text_delta", "text", call.input["text"]
        block = {"type": "text", "text": ""}
    before = [
        wire.event("message_start", message=wire.message(nonce, [], None)),
        wire.event("content_block_start", index=0, content_block=block),
        *(
            wire.event(
                "content_block_delta",
                index=0,
                delta={"type": kind, field: text[at : at + _PIECE]},
            )
            for at in range(0, len(text), _PIECE)
        ),
    ]
    delta = {"stop_reason": "tool_use" if call.tool else "end_turn", "stop_sequence": None}
    after = [
        wire.event("message_delta", delta=delta, usage={"output_tokens": 99}),
        wire.event("message_stop"),
    ]
    return before, wire.event("content_block_stop", index=0), after


class _Client(asyncio.Protocol):
    """Asks, one after the other."""

    def __init__(self, target: Target, model: _Model) -> None:
        self._target = target
        self._model = model
        self._seen = bytearray()
        self._came = 0.0
        self._done: asyncio.Future[None]
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("expected a stream")
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        new = len(self._seen)
        self._seen += data
        if _STOP in self._seen[max(0, new - len(_STOP)) :]:
            self._came = now
            self._model.heard.set()
        elif _PING in self._seen[max(0, new - len(_PING)) :]:
            self._model.heard.set()
        if self._seen.endswith(b"0\r\n\r\n"):
            self._done.set_result(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(f"{self._target.name} hung up"))

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    async def ask(self, call: _Call) -> float:
        """Milliseconds from the block's end at the model to its end here.

        Raises:
            RuntimeError: It is not what the model said.
        """
        self._model.next, self._came = call, 0.0
        self._seen.clear()
        self._done = asyncio.get_running_loop().create_future()
        body = wire.small_request("sse", uuid.uuid4().hex)
        host = f"127.0.0.1:{self._target.port}"
        fields = wire.head(token=self._target.token, session=_SESSION, host=host, size=len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self._transport.write(f"POST /v1/messages HTTP/1.1\r\n{lines}\r\n".encode() + body)
        await self._done
        if not self._came or _said(self._seen) != call.input:
            shown = bytes(self._seen[:2000]).decode(errors="replace")
            raise RuntimeError(f"{self._target.name} changed {call.what}: {shown}")
        return (self._came - self._model.ended) * 1e3


_SESSION = str(uuid.uuid4())


def _said(body: bytes | bytearray) -> dict[str, Any] | None:
    """The input of the tool call in an answer, or its text."""
    events = [json.loads(line) for line in _DATA.findall(body)]
    deltas = [each["delta"] for each in events if each["type"] == "content_block_delta"]
    text = "".join(delta.get("partial_json", delta.get("text", "")) for delta in deltas)
    tools = [
        each["content_block"]["type"] == "tool_use"
        for each in events
        if each["type"] == "content_block_start"
    ]
    if tools != [True]:
        return {"text": text}
    said: dict[str, Any] = json.loads(text)
    return said

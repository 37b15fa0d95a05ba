"""What travels: requests that are never the same twice, and the answers that belong to them.

A request ends in `bench:KIND:NUMBER:NONCE`. The origin makes its answer from that alone, so the
load generator knows every byte it must get, and nothing that a proxy keeps is kept twice.
"""

import json
import re
from collections.abc import Iterator
from hashlib import blake2b, shake_128

MODEL = "claude-sonnet-4-5"
MESSAGES = "/v1/messages"
SEARCH = "/tickets/_search"  # asks only, though it is sent with POST: the rules that ship allow it
SESSION_HEADER = "x-claude-code-session-id"
CALLS = ("turn", "delete")  # kinds of answers that end in a tool call
_PIECE = 16 * 1024  # text in one event of a huge answer
_DELTAS = 20  # events with text in a short answer
# Text that is read as text: a redactor would keep back one long word until it ends.
_WORDS = (
    *("the", "rule", "is", "read", "when", "a", "file", "changes", "and", "nobody", "waits"),
    *("for", "it", "so", "all", "requests", "go", "on", "as", "before", "until", "they", "end"),
)
_EVENT = re.compile(rb"data: (.*)")


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def marker(kind: str, nonce: str, number: int = 0) -> str:
    """What the last user message ends in.

    Kinds: json, sse, turn, delete (a turn whose tool call the rules that ship hold), huge (of
    `number` MB).
    """
    return f"bench:{kind}:{number}:{nonce}"


def asked(body: bytes) -> tuple[str, int, str]:
    """Kind, number and nonce that a request's body asks for.

    Raises:
        ValueError: It has no marker.
    """
    start = body.rindex(b"bench:")
    end = body.index(b'"', start)
    _, kind, number, nonce = body[start:end].decode("ascii").split(":")
    return kind, int(number), nonce


def small_request(kind: str, nonce: str, number: int = 0, *, max_tokens: int = 1024) -> bytes:
    """A Messages request of some 1,000 bytes, streaming unless `kind` is json."""
    text = f"{words(nonce, 800)} {marker(kind, nonce, number)}"
    return _dump(
        {
            "model": MODEL,
            "max_tokens": max_tokens,
            "stream": kind != "json",
            "messages": [{"role": "user", "content": text}],
        }
    )


def head(*, token: str, session: str, host: str, size: int) -> list[tuple[str, str]]:
    """The header fields of a request, as a Messages client sends them."""
    return [
        ("host", host),
        ("authorization", f"Bearer {token}"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("anthropic-version", "2023-06-01"),
        ("user-agent", "claude-cli/2.1.330 (external, cli)"),
        (SESSION_HEADER, session),
        ("content-length", str(size)),
    ]


def plain_head(*, host: str, size: int) -> list[tuple[str, str]]:
    """The header fields of a request to an API of any kind."""
    return [
        ("host", host),
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("user-agent", "python-httpx/0.28.1"),
        ("content-length", str(size)),
    ]


def answer(kind: str, number: int, nonce: str) -> Iterator[bytes]:
    """The body of an answer. What is yielded first is sent first; see `origin` for the pause."""
    if kind == "json":
        yield _dump(message(nonce, [{"type": "text", "text": words(nonce, 600)}], "end_turn"))
        return
    start = message(nonce, [], None)
    opened = {"type": "text", "text": ""}
    yield (
        event("message_start", message=start)
        + event("ping")
        + event("content_block_start", index=0, content_block=opened)
        + _delta(0, words(nonce, 12))
    )
    if kind == "huge":
        for index in range(number * 1_000_000 // _PIECE):
            yield _delta(0, f"{index:08d}".ljust(_PIECE, "x"))
    else:
        yield b"".join(_delta(0, words(f"{nonce}{index}", 24)) for index in range(_DELTAS)) + event(
            "content_block_stop", index=0
        )
    if kind in CALLS:
        name, given = "Read", json.dumps({"file_path": f"/src/{nonce}.py"})
        if kind == "delete":
            name, given = "Bash", json.dumps({"command": f"rm -rf /srv/{nonce}"})
        tool = {"type": "tool_use", "id": f"toolu_{nonce}", "name": name, "input": {}}
        yield (
            event("content_block_start", index=1, content_block=tool)
            + event(
                "content_block_delta",
                index=1,
                delta={"type": "input_json_delta", "partial_json": given},
            )
            + event("content_block_stop", index=1)
        )
    reason = "tool_use" if kind in CALLS else "end_turn"
    delta = {"stop_reason": reason, "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": 99})
    yield event("message_stop")


def expected(body: bytes) -> bytes:
    """What `Meaning` makes of the answer to a request."""
    kind, number, nonce = asked(body)
    meaning = Meaning(kind)
    for piece in answer(kind, number, nonce):
        meaning.update(piece)
    return meaning.digest()


class Meaning:
    """What an answer says, for comparing: every byte, but for how a stream's text is cut.

    A proxy that looks at the text before it hands it on cuts it elsewhere.
    """

    def __init__(self, kind: str) -> None:
        self._cut = kind == "sse" or kind in CALLS
        self._hash = blake2b(digest_size=16)
        self._pieces: list[bytes] = []

    def update(self, data: bytes | bytearray) -> None:
        """The next bytes of the answer."""
        if self._cut:
            self._pieces.append(bytes(data))
        else:
            self._hash.update(data)

    def digest(self) -> bytes:
        """Equal for answers that mean the same."""
        if self._cut:
            self._hash.update(_dump(_said(b"".join(self._pieces))))
        return self._hash.digest()


def _said(body: bytes) -> list[object]:
    """A stream's events, neighbouring deltas of one block joined."""
    said: list[object] = []
    for line in _EVENT.findall(body):
        found = json.loads(line)
        if found["type"] == "ping":
            continue
        if found["type"] == "content_block_delta":
            delta = found["delta"]
            text = delta.get("text", delta.get("partial_json"))
            if said and isinstance(said[-1], str):
                said[-1] += text
            else:
                said.append(text)
        else:
            said.append(found)
    return said


def message(nonce: str, content: list[object], reason: str | None) -> dict[str, object]:
    """A Messages API's answer."""
    # In letters: sixteen digits may well be a card's number, which redaction takes out.
    return {
        "id": f"msg_{nonce.translate(_LETTERS)}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 300,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 99,
        },
    }


def words(seed: str, length: int) -> str:
    """Words of no meaning, the same for the same seed."""
    drawn = shake_128(seed.encode()).digest(length)
    return " ".join(_WORDS[byte % len(_WORDS)] for byte in drawn)[: length - 1] + " "


def _delta(index: int, text: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def event(name: str, **fields: object) -> bytes:
    """One event of a stream."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _dump({"type": name, **fields}))


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

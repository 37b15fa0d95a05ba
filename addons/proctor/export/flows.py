"""Exchanges as mitmproxy's flows, rebuilt from the record, and of these HAR and `.mitm` files.

Bodies are what the record has: what the client was allowed to see, redacted. Headers are not on
record, but for what the body and the address say of themselves; no credential ever is.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from mitmproxy import connection, http
from mitmproxy import flow as mitmflow
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import FlowWriter

from proctor import __version__
from proctor.audit.reader import reference
from proctor.model import ContentRef

type Bodies = Mapping[ContentRef, bytes | None]
"""What references stand for; None for what was erased."""

DENIED = ":no_entry:"
"""The mark of what was refused."""

_ERASED = b"(erased from the record)"
_NOWHERE = ("0.0.0.0", 0)  # noqa: S104 - where the client was is not on record
_LENGTH = 8192
_ODD = re.compile(r"[^A-Za-z0-9.-]")


class Output(Protocol):
    """Takes flows."""

    def add(self, flow: http.HTTPFlow) -> None:
        """One more."""
        ...

    def close(self) -> None:
        """No more."""
        ...


def bodies(envelope: Mapping[str, Any]) -> list[ContentRef]:
    """The bodies that `rebuilt` needs."""
    found = (reference(envelope.get(name)) for name in ("request", "response"))
    return [ref for ref in found if ref is not None]


def rebuilt(envelope: Mapping[str, Any], found: Bodies) -> http.HTTPFlow:
    """The flow that a `flow.end` tells of.

    Args:
        envelope: Parsed.
        found: Its bodies.
    """
    start, end = _seconds(envelope["started_at"]), _seconds(envelope["ended_at"] or envelope["ts"])
    host, port = str(envelope.get("host") or ""), int(envelope.get("port") or 0)
    client = connection.Client(
        peername=_NOWHERE, sockname=_NOWHERE, timestamp_start=start, timestamp_end=end
    )
    server = connection.Server(address=(host, port))
    made = http.HTTPFlow(client, server)
    made.id = str(envelope.get("flow_id") or made.id)
    made.timestamp_created = start
    made.request = _request(envelope, host, port, start, _content(envelope.get("request"), found))
    status = envelope.get("status")
    if status is not None:
        made.response = _response(int(status), end, _content(envelope.get("response"), found))
    if envelope.get("error"):
        made.error = mitmflow.Error(str(envelope["error"]), end)
    _labelled(made, envelope)
    return made


class MitmOutput:
    """A file that `mitmproxy -r` opens."""

    def __init__(self, file: BinaryIO) -> None:
        """Nothing is written yet."""
        self._writer = FlowWriter(file)

    def add(self, flow: http.HTTPFlow) -> None:
        """See Output."""
        self._writer.add(flow)

    def close(self) -> None:
        """See Output."""


class HarOutput:
    """HAR 1.2, one entry after the other; mitmproxy's own maker makes them."""

    def __init__(self, file: BinaryIO) -> None:
        """Write what stands before the entries."""
        creator = json.dumps({"name": "proctor", "version": __version__, "comment": ""})
        self._file = file
        self._maker = SaveHar()
        self._first = True
        file.write(
            f'{{"log":{{"version":"1.2","creator":{creator},"pages":[],"entries":[\n'.encode()
        )

    def add(self, flow: http.HTTPFlow) -> None:
        """See Output."""
        try:
            entry = self._maker.flow_entry(flow, set())
        except ValueError:
            # What a client called a host or a path is no address; it stands in the comment.
            flow.comment = f"{flow.request.host}{flow.request.path} {flow.comment}"[:_LENGTH]
            flow.request.host = _ODD.sub("_", flow.request.host) or "invalid"
            flow.request.path = quote(flow.request.path, safe="/?&=%", errors="replace")
            entry = self._maker.flow_entry(flow, set())
        entry["comment"] = flow.comment
        entry["_proctor"] = flow.metadata
        self._file.write(b"" if self._first else b",\n")
        self._file.write(json.dumps(entry, ensure_ascii=True).encode())
        self._first = False

    def close(self) -> None:
        """See Output."""
        self._file.write(b"\n]}}\n")


def _request(
    envelope: Mapping[str, Any], host: str, port: int, start: float, content: bytes | None
) -> http.Request:
    headers = _headers(content)
    headers.insert(0, (b"Host", host.encode("utf-8", "replace")))
    return http.Request(
        host=host,
        port=port,
        method=str(envelope.get("method") or "").encode("utf-8", "replace"),
        scheme=str(envelope.get("scheme") or "").encode("utf-8", "replace"),
        authority=b"",
        path=str(envelope.get("path") or "/").encode("utf-8", "surrogateescape"),
        http_version=b"HTTP/1.1",
        headers=http.Headers(headers),
        content=content or b"",
        trailers=None,
        timestamp_start=start,
        timestamp_end=start,
    )


def _response(status: int, end: float, content: bytes | None) -> http.Response:
    return http.Response(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=http.status_codes.RESPONSES.get(status, "").encode(),
        headers=http.Headers(_headers(content)),
        content=content or b"",
        trailers=None,
        timestamp_start=end,
        timestamp_end=end,
    )


def _labelled(made: http.HTTPFlow, envelope: Mapping[str, Any]) -> None:
    turn = envelope.get("turn") or {}
    told = {
        "session": envelope.get("session_id"),
        "principal": envelope.get("principal"),
        "verdict": envelope.get("verdict"),
        "rule": envelope.get("rule_id"),
        "reason": envelope.get("reason"),
        "approval": envelope.get("approval_id"),
        "model": turn.get("model"),
        "writer": envelope["writer"],
        "seq": envelope["seq"],
    }
    made.metadata = {f"proctor.{name}": value for name, value in told.items() if value is not None}
    words = (
        f"{envelope.get('subject') or 'nobody'}: {envelope.get('verdict')}",
        f"by {envelope['rule_id']}" if envelope.get("rule_id") else "",
        f"({envelope['reason']})" if envelope.get("reason") else "",
    )
    made.comment = " ".join(word for word in words if word)[:_LENGTH]
    made.marked = DENIED if envelope.get("verdict") == "deny" else ""


def _content(value: Mapping[str, Any] | None, found: Bodies) -> bytes | None:
    ref = reference(value)
    if ref is None:
        return None
    data = found[ref]
    return _ERASED if data is None else data


def _headers(content: bytes | None) -> list[tuple[bytes, bytes]]:
    """What a body says of itself."""
    if not content:
        return []
    kind = b"application/octet-stream"
    start = content[:64].lstrip()
    if start[:1] in {b"{", b"["}:
        kind = b"application/json"
    elif start.startswith((b"event:", b"data:")):
        kind = b"text/event-stream; charset=utf-8"
    else:
        try:
            content[:4096].decode()
            kind = b"text/plain; charset=utf-8"
        except UnicodeDecodeError as error:
            if len(content) > 4096 and error.start > 4092:  # noqa: PLR2004 - a character cut off
                kind = b"text/plain; charset=utf-8"
    return [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(content))]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()

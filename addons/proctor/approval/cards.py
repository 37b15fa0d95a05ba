"""What a reviewer sees of an action, made of what may be seen; and what of it stays hidden.

A card is made of the redacted form. Where the real one differs, the reviewer is told the type and
length of each span; its value is sealed with the installation's key, for who may reveal it.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proctor.approval.model import Card, Hidden, Part
from proctor.errors import InternalError
from proctor.model import Action, Finding, WsFields
from proctor.protocols.jsonspan import loads

MAX_TEXT: Final = 64 * 1024
"""Characters of one part that a card holds."""

MAX_SUMMARY: Final = 300
MAX_PROMPT: Final = 2000
MAX_HIDDEN: Final = 200
_NONCE: Final = 12
# What takes the place of a value: see redaction.operators and redaction.surrogates.
_PLACEHOLDER: Final = re.compile(
    r"<(?P<mask>[A-Z][A-Z0-9_]*)(?::[bcdfghjklmnpqrstvwxz]{16})?>"
    r"|(?P<surrogate>[A-Z][A-Z0-9_]*)_[bcdfghjklmnpqrstvwxz]{16}"
)
# Not past the next one that begins, so that the time it takes grows with the length alone.
_REMINDER: Final = re.compile(
    r"<system-reminder>(?:(?!<system-reminder>).)*?</system-reminder>", re.DOTALL
)
UNKNOWN: Final = "UNKNOWN"
"""Type of a hidden span whose place could not be found: all of the part counts as unseen."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Hidden spans, and what they really are."""

    spans: tuple[Hidden, ...] = ()
    values: dict[str, str] = field(default_factory=dict, repr=False)

    def __add__(self, other: "Unseen") -> "Unseen":
        return Unseen(self.spans + other.spans, {**self.values, **other.values})


def unseen(place: str, shown: str, real: str) -> Unseen:
    """What of `real` a reviewer who sees `shown` does not see.

    Args:
        place: Where it stands, such as `input`.
        shown: Redacted.
        real: What will be executed or sent.
    """
    if shown == real:
        return Unseen()
    names = [
        (match["mask"] or match["surrogate"], match[0])
        for match in islice(_PLACEHOLDER.finditer(shown), MAX_HIDDEN)
    ]
    found = _between(shown, real, names)
    if found is None:
        return Unseen((Hidden(type=UNKNOWN, length=len(real), place=place, shown=""),))
    spans: list[Hidden] = []
    values: dict[str, str] = {}
    for (kind, placeholder), value in zip(names, found, strict=True):
        if value != placeholder:
            spans.append(Hidden(type=kind, length=len(value), place=place, shown=placeholder))
            values[f"{place}:{len(spans)}:{placeholder}"] = value
    return Unseen(tuple(spans), values)


def _between(shown: str, real: str, names: Sequence[tuple[str, str]]) -> list[str] | None:
    """The stretches of `real` in the places of the placeholders; None where it does not fit."""
    values: list[str] = []
    at = there = 0
    rest = shown
    for _, placeholder in names:
        start = shown.index(placeholder, at)
        literal = shown[at:start]
        if not real.startswith(literal, there):
            return None
        there += len(literal)
        at = start + len(placeholder)
        following = _PLACEHOLDER.search(shown, at)
        after = shown[at : following.start()] if following else shown[at:]
        if real.startswith(placeholder + after, there):
            end = there + len(placeholder)
        elif following is None:
            end = len(real) - len(after)
        else:
            end = real.find(after, there) if after else -1
        if end < there:
            return None
        values.append(real[there:end])
        there = end
        rest = shown[at:]
    return values if real[there:] == rest else None


def tool_card(  # noqa: PLR0913 - what a tool call is known by
    *,
    name: str,
    record: str,
    real: str,
    prompt: str,
    findings: Iterable[Finding],
    tool_use_id: str,
) -> tuple[Card, dict[str, str]]:
    """The card of a model's tool call, and the values that are hidden on it.

    Args:
        name: The tool.
        record: Its input as recorded, JSON.
        real: Its input as the client would get it.
        prompt: What the human asked last, redacted.
        findings: What was found in the call.
        tool_use_id: The model's name for it.
    """
    try:
        value = loads(record)
    except (ValueError, RecursionError):
        value = None
    parts: list[Part] = []
    summary = record
    if isinstance(value, dict):
        command = value.get("command")
        if isinstance(command, str):
            parts.append(_part("command", "command", command))
            summary = command
            value = {key: item for key, item in value.items() if key != "command"}
        if value:
            text = json.dumps(value, ensure_ascii=False, indent=2)
            parts.append(_part("input", "json", text))
            if not isinstance(command, str):
                summary = next((v for v in value.values() if isinstance(v, str)), record)
    else:
        parts.append(_part("input", "text", record))
    hidden = unseen("input", record, real)
    return (
        Card(
            title=name,
            summary=" ".join(summary.split())[:MAX_SUMMARY],
            parts=tuple(parts),
            hidden=hidden.spans,
            findings=_places(findings),
            prompt=_asked(prompt),
            tool_use_id=tool_use_id,
        ),
        hidden.values,
    )


def http_card(  # noqa: PLR0913 - what a request is known by
    *,
    method: str,
    address: str,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    real_address: str,
    real_body: bytes,
    findings: Iterable[Finding],
    prompt: str = "",
) -> tuple[Card, dict[str, str]]:
    """The card of an HTTP request, and the values that are hidden on it.

    Args:
        method: As it is sent.
        address: Scheme, host and path, redacted.
        headers: Redacted.
        body: Redacted.
        real_address: As it leaves.
        real_body: As it leaves.
        findings: What was found in it.
        prompt: What the human asked last, where it is a request to the model.
    """
    lines = [f"{_latin(name)}: {_latin(value)}" for name, value in headers]
    parts = [
        _part("target", "text", f"{method} {address}"),
        _part("headers", "headers", "\n".join(lines)),
    ]
    if body:
        parts.append(_body(body))
    hidden = unseen("target", address, real_address)
    hidden += unseen("body", _utf8(body), _utf8(real_body))
    return (
        Card(
            title=f"{method} {address.partition('?')[0]}"[:MAX_SUMMARY],
            summary=" ".join(_utf8(body[: 4 * MAX_SUMMARY]).split())[:MAX_SUMMARY],
            parts=tuple(parts),
            hidden=hidden.spans,
            findings=_places(findings),
            prompt=_asked(prompt),
        ),
        hidden.values,
    )


def ws_card(
    *,
    action: Action,
    address: str,
    kept: bytes,
    real: bytes,
    findings: Iterable[Finding],
) -> tuple[Card, dict[str, str]]:
    """The card of one message of a WebSocket, and the values that are hidden on it.

    Args:
        action: What it is.
        address: Scheme, host and path of the WebSocket, as it is kept.
        kept: The message, redacted.
        real: As it would go on.
        findings: What was found in it.
    """
    said = action.ws or WsFields()
    who = "to the server" if said.direction == "client" else "to the client"
    hidden = unseen("body", _utf8(kept), _utf8(real))
    return (
        Card(
            title=f"WebSocket {address.partition('?')[0]}"[:MAX_SUMMARY],
            summary=" ".join(_utf8(kept[: 4 * MAX_SUMMARY]).split())[:MAX_SUMMARY],
            parts=(
                _part("target", "text", f"{said.type} message {who}, {address}"),
                *((_body(kept),) if kept else ()),
            ),
            hidden=hidden.spans,
            findings=_places(findings),
        ),
        hidden.values,
    )


def sql_card(  # noqa: PLR0913 - what a statement is known by
    *,
    action: Action,
    sql: str,
    real: str,
    parameters: str,
    evidence: Sequence[Part],
    findings: Iterable[Finding],
) -> tuple[Card, dict[str, str]]:
    """The card of a SQL statement, and the values that are hidden on it.

    Args:
        action: What it is.
        sql: Its text, redacted.
        real: Its text.
        parameters: JSON, redacted; "" for none.
        evidence: What is known of what it would do.
        findings: What was found in it.
    """
    parts = [_part("statement", "sql", sql)]
    if parameters:
        parts.append(_part("parameters", "json", parameters))
    if action.sql and action.sql.tables:
        parts.append(_part("tables", "text", "\n".join(action.sql.tables)))
    hidden = unseen("statement", sql, real)
    return (
        Card(
            title=action.target[:MAX_SUMMARY],
            summary=" ".join(f"{_first(evidence)} {sql}".split())[:MAX_SUMMARY],
            parts=(*parts, *evidence),
            hidden=hidden.spans,
            findings=_places(findings),
        ),
        hidden.values,
    )


def git_card(
    *, action: Action, record: bytes, real: bytes, findings: Iterable[Finding]
) -> tuple[Card, dict[str, str]]:
    """The card of a push, and the values that are hidden on it.

    Args:
        action: What it is.
        record: What it does, as `git.pushing` sums it up, redacted.
        real: The same, not redacted.
        findings: What was found in it.
    """
    said = loads(record.decode())
    refs = [_ref(each) for each in said["refs"]]
    commits = [
        f"{each['id'][:12]} {each['subject']}  <{each['author']}>" for each in said["commits"]
    ]
    paths = [_sized(each) for each in said["paths"]]
    parts = [_part("refs", "text", "\n".join(refs))]
    for name, lines, count in (
        ("push options", said["options"], len(said["options"])),
        ("commits", commits, said["commits_in_all"]),
        ("paths", paths, said["paths_in_all"]),
        ("what could not be read", said["incomplete"], len(said["incomplete"])),
    ):
        if lines:
            more = [f"… {count - len(lines)} more"] if count > len(lines) else []
            parts.append(_part(name, "text", "\n".join([*lines, *more])))
    pack, unknown = said["pack"], ["not all of it could be told"] if said["unknown"] else []
    words = [f"{said['commits_in_all']} commits", f"{said['paths_in_all']} paths"]
    hidden = unseen("push", _utf8(record), _utf8(real))
    return (
        Card(
            title=action.target[:MAX_SUMMARY],
            summary="; ".join([*refs, *words, f"{pack['bytes']} bytes", *unknown])[:MAX_SUMMARY],
            parts=tuple(parts),
            hidden=hidden.spans,
            findings=_places(findings),
        ),
        hidden.values,
    )


def _ref(said: dict[str, str]) -> str:
    return f"{said['change']} {said['ref']} {said['old'][:12]}..{said['new'][:12]}"


def _sized(said: dict[str, Any]) -> str:
    size = said["bytes"]
    return said["path"] if size is None or size < 0 else f"{said['path']} ({size} bytes)"


def _first(evidence: Sequence[Part]) -> str:
    """What a statement would do, in one sentence; "" where nobody knows."""
    rows = next((part.text for part in evidence if part.name == "rows"), "")
    return rows.partition("\n")[0]


def _asked(prompt: str) -> str:
    """What the human asked: Claude Code puts reminders of its own before it."""
    words = _REMINDER.sub("", prompt).strip()
    return (words or prompt)[-MAX_PROMPT:]


def _body(body: bytes) -> Part:
    text = _utf8(body)
    try:
        value = loads(text) if len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        return _part("body", "text", text)
    return _part("body", "json", json.dumps(value, ensure_ascii=False, indent=2))


def _part(name: str, kind: str, text: str) -> Part:
    cut = max(0, len(text) - MAX_TEXT)
    return Part(name=name, kind=kind, text=text[:MAX_TEXT], cut=cut)


def _places(findings: Iterable[Finding]) -> tuple[tuple[str, str], ...]:
    return tuple((found.type, found.location) for found in findings)[:MAX_HIDDEN]


def _latin(value: bytes) -> str:
    return value.decode("latin-1")


def _utf8(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def seal(values: dict[str, str], key: bytes) -> bytes:
    """Encrypt hidden values (AES-256-GCM, SP 800-38D).

    Args:
        values: By place and what stands there.
        key: 32 bytes, of the installation.
    """
    if not values:
        return b""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, json.dumps(values).encode(), b"proctor approval v1")


def unseal(sealed: bytes, key: bytes) -> dict[str, str]:
    """The values again.

    Raises:
        InternalError: They were sealed with another key, or are damaged.
    """
    if not sealed:
        return {}
    try:
        plain = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], b"proctor approval v1")
    except InvalidTag:
        raise InternalError(
            "approval-sealed", "What was hidden cannot be opened with this installation's key"
        ) from None
    found: dict[str, str] = json.loads(plain)
    return found

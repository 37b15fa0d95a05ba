"""What rules could see of an exchange and the record holds nowhere else, as one compact JSON.

It lies in the content of the exchange's scope, so it is erased with it, and nothing stands in it
that redaction takes out. What may not be kept is left out: whoever reads it knows that it was there
and not what it was. Members, all but `v` and `size` optional:

    human, iat          of the principal's token
    repo, turns         of the session
    met, odd            session.exposed and session.suspicious, where there is anything
    taint               for each decision, whether its action was tainted, where one was
    new                 for each decision, whether it spoke to a new host, where one did
    used                what was used up of budgets, by name, where there are any
    size                of the action
    headers             values by name, null for one that was not looked at
    type, op, bad, cred http.content_type, operation, violations and credential
    llm, max            tools, features and class; max_tokens
    server              the MCP server, as proctor.yaml calls it
    asked               for each decision, the server's method; "" where there is none
    found               for each decision, its findings as [type, location, direction, score]
    cut                 something was taken out of what rules saw

What stays the same over many requests stands first and in a block of its own, stored once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from proctor.model import CredentialSource, Finding, LlmFields, Principal, Session
from proctor.record import Ruling, Seen

VERSION: Final = 1
MAX_SIZE: Final = 256 * 1024
"""Bytes of it; one that would be larger is not kept."""


@dataclass(slots=True, kw_only=True)
class Kept:
    """The same, read back; None for what is not known. Nobody changes it: it can be many's."""

    human: str | None = None
    issued_at: float | None = None
    repository: str | None = None
    turns: int | None = None
    exposed: tuple[str, ...] = ()
    suspicious: float = 0.0
    tainted: tuple[bool, ...] = ()
    new_host: tuple[bool, ...] = ()
    budget: Mapping[str, float] = field(default_factory=dict[str, float])
    size: int | None = None
    headers: Mapping[str, str | None] | None = None
    content_type: str | None = None
    operation: str | None = None
    violations: tuple[str, ...] | None = None
    credential: CredentialSource | None = None
    llm: LlmFields | None = None
    server: str | None = None
    asked: tuple[str, ...] = ()
    findings: tuple[tuple[Finding, ...], ...] = ()
    cut: bool = False


def write(
    principal: Principal,
    session: Session | None,
    folder: str,
    seen: Seen | None,
    rulings: Sequence[Ruling],
) -> tuple[bytes, tuple[int, ...]] | None:
    """What to keep, and where to cut it; None where it cannot be kept.

    Args:
        principal: Who asked.
        session: In which run.
        folder: The run's folder as the record holds it; "" where it does not.
        seen: The request as the record may hold it; None for what stands in an answer.
        rulings: What the rules said, of which this is the case.
    """
    same: dict[str, object] = {"v": VERSION, "iat": principal.issued_at}
    if principal.human is not None:
        same["human"] = principal.human
    if session and session.repository == folder:
        same["repo"] = folder
    own = _run(session)
    tainted = [action.tainted for ruling in rulings for action in ruling.actions]
    if any(tainted):
        own["taint"] = tainted
    new = [action.novelty.get("host", False) for r in rulings for action in r.actions]
    if any(new):
        own["new"] = new
    used = next((action.budget for ruling in rulings for action in ruling.actions), None)
    if used:
        own["used"] = dict(used)
    if seen:
        _request(seen, same, own)
    else:
        _answer(rulings, own)
    if any(ruling.findings for ruling in rulings):
        own["found"] = [
            [[each.type, each.location, each.direction, each.score] for each in ruling.findings]
            for ruling in rulings
            for _ in ruling.decisions
        ]
    try:
        first, rest = orjson.dumps(same), orjson.dumps(own)
    except TypeError:  # a half of a surrogate pair, or an integer beyond 64 bits
        return None
    data = first[:-1] + (b"," if own else b"") + rest[1:]
    return (data, (len(first) - 1,)) if len(data) <= MAX_SIZE else None


def _run(session: Session | None) -> dict[str, object]:
    if session is None:
        return {}
    own: dict[str, object] = {"turns": session.turns}
    if session.exposed:
        own["met"] = session.exposed
    if session.suspicious:
        own["odd"] = session.suspicious
    return own


def _request(seen: Seen, same: dict[str, object], own: dict[str, object]) -> None:
    own["size"] = seen.size
    if seen.cut:
        own["cut"] = 1
    if seen.server:
        same["server"] = seen.server
    if seen.headers is not None:
        same |= {"headers": seen.headers, "cred": seen.credential.value}
        if seen.content_type is not None:
            same["type"] = seen.content_type
        if seen.operation is not None:
            own["op"] = seen.operation
        if seen.violations is not None:
            own["bad"] = seen.violations
    if seen.llm:
        llm = seen.llm
        same["llm"] = {"tools": llm.tools, "features": llm.features, "class": llm.request_class}
        own["max"] = llm.max_tokens


def _answer(rulings: Sequence[Ruling], own: dict[str, object]) -> None:
    calls = [action.mcp for ruling in rulings for action in ruling.actions]
    if any(calls):
        own["asked"] = [call.method if call else "" for call in calls]
        own["server"] = next(call.server for call in calls if call)


def read(data: bytes, model: str = "", *, stream: bool = False) -> Kept | None:
    """What was kept; None where this cannot be read, as what nobody kept.

    Args:
        data: As `write` made it.
        model: Of the request to the model, which stands in the envelope.
        stream: Likewise.
    """
    try:
        found = orjson.loads(data)
        return _kept(found, model, stream=stream) if found["v"] == VERSION else None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def _kept(found: dict[str, Any], model: str, *, stream: bool) -> Kept:
    llm = found.get("llm")
    headers = found.get("headers")
    return Kept(
        human=_str(found.get("human", "")),
        issued_at=float(found["iat"]),
        repository=_str(found["repo"]) if "repo" in found else None,
        turns=int(found["turns"]) if "turns" in found else None,
        exposed=_strs(found.get("met", ())),
        suspicious=float(found.get("odd", 0.0)),
        tainted=tuple(map(bool, found.get("taint", ()))),
        new_host=tuple(map(bool, found.get("new", ()))),
        budget={_str(name): float(used) for name, used in found.get("used", {}).items()},
        size=int(found["size"]) if "size" in found else None,
        headers=None if headers is None else _headers(headers),
        content_type=_str(found["type"]) if "type" in found else None,
        operation=_str(found["op"]) if "op" in found else None,
        violations=_strs(found["bad"]) if "bad" in found else None,
        credential=CredentialSource(found["cred"]) if "cred" in found else None,
        llm=None
        if llm is None
        else LlmFields(
            model=model,
            stream=stream,
            max_tokens=int(found["max"]),
            tools=_strs(llm["tools"]),
            features=_strs(llm["features"]),
            request_class=_str(llm["class"]),
        ),
        server=_str(found["server"]) if "server" in found else None,
        asked=_strs(found.get("asked", ())),
        findings=tuple(tuple(map(_finding, each)) for each in found.get("found", ())),
        cut="cut" in found,
    )


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _strs(values: Sequence[object]) -> tuple[str, ...]:
    if not isinstance(values, list | tuple):
        raise TypeError
    return tuple(map(_str, values))


def _headers(values: object) -> dict[str, str | None]:
    if not isinstance(values, dict):
        raise TypeError
    return {name: None if value is None else _str(value) for name, value in values.items()}


def _finding(values: Sequence[Any]) -> Finding:
    kind, location, direction, score = values
    return Finding(
        type=_str(kind), location=_str(location), direction=_str(direction), score=float(score)
    )

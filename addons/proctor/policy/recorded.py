"""Cases taken from the record: for `proctor explain --flow`, `backtest` and `rules suggest`.

The record holds what a case needs (see `casefile`), less what nobody asked to keep or what was
erased since: those fields are named as not known, and a rule that needs one stays open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from proctor.egress.paths import ambiguous, normalized
from proctor.errors import ClientError
from proctor.model import (
    Action,
    ActionKind,
    Case,
    CredentialSource,
    GitFields,
    HttpFields,
    LlmFields,
    McpFields,
    Principal,
    Session,
    SqlFields,
    ToolFields,
)
from proctor.policy.casefile import Kept
from proctor.policy.gitcase import REPLACED, push_of
from proctor.policy.recordedfields import (
    ASKED,
    CALL_FIELDS,
    GIT,
    HEADERS,
    HTTP,
    JSON,
    LINE,
    LISTS,
    LLM,
    NAMED_CALL,
    NOT_KEPT,
    NOTHING,
    NOVELTY,
    OPERATION,
    SENT,
    SQL,
    TURN,
    TYPE,
    UNNAMED_CALL,
    VIOLATIONS,
    Known,
    hidden_of,
    who,
)
from proctor.policy.recordedmessage import cut_of, findings_of, message_of
from proctor.protocols.anthropic.request import parse_request
from proctor.protocols.anthropic.tools import tool_fields
from proctor.protocols.mcp.actions import CALL, fields_of, target, tool_name
from proctor.protocols.mcp.messages import read as read_message
from proctor.protocols.said import joined, said

CUT: Final = "is on record as far as its beginning"
NOT_LOOKED: Final = "is not on record: not every header was looked at"

STDIO: Final = "stdio"

MAX_LIST: Final = 200
"""Tables, columns or functions that the record names of one statement; there may have been more."""

_SHORT: Final = 2048
"""Bytes of a tool's input up to which it is remembered, parsed."""

# Its boundary stands in a parameter of the type, which is not kept.
_PARTS: Final = "multipart/form-data"


@dataclass(slots=True)
class Line:
    """One envelope with decisions, as far as cases need it.

    Not frozen, like the next two: they are made a million times, which would take thrice as long.

    Attributes:
        ts: When, UTC.
        answer: The decisions are about what came back.
        decisions: As they stand there.
        tools: Likewise.
        statement: The whole envelope, of a SQL statement.
        message: Likewise, of a message of a WebSocket.
    """

    writer: str
    seq: int
    ts: datetime
    flow_id: str
    session_id: str | None
    session_started: datetime | None
    principal: str
    subject: str
    groups: tuple[str, ...]
    client: str
    listener: str
    method: str
    scheme: str
    host: str
    port: int
    path: str
    size: int
    policy_version: str
    answer: bool
    model: str | None
    request_class: str
    stream: bool
    approval_id: str | None
    decisions: Sequence[Mapping[str, Any]] = field(repr=False)
    tools: Sequence[Mapping[str, Any]] = field(repr=False)
    statement: Mapping[str, Any] | None = field(default=None, repr=False)
    message: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class Texts:
    """The content that an envelope refers to; None for what was not kept, erased or not asked for.

    Attributes:
        kept: What rules could see.
        body: The request's, or the message.
        inputs: Of the tool calls, in the order of `tools`.
    """

    kept: Kept | None = None
    body: bytes | None = field(default=None, repr=False)
    inputs: Sequence[bytes | None] = field(default=(), repr=False)


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One action as the record has it.

    Attributes:
        case: What is known of it.
        hidden: Fields that are not, and why.
        verdict: What the rules said of it then, also where global observe let it pass.
        rule_id: By which rule.
        policy_version: Digest of the rules of then.
        digest: Of the action.
        flow_id: Of the exchange.
        approval_id: What let it pass, where something did.
        cut: Something was taken out of what is known of it.
        unlooked: Headers of which only the name is known.
    """

    case: Case
    hidden: Mapping[str, str]
    verdict: str
    rule_id: str
    policy_version: str
    digest: str = ""
    flow_id: str = ""
    approval_id: str | None = None
    cut: bool = False
    unlooked: frozenset[str] = frozenset()


def cases(line: Line, texts: Texts) -> list[Recorded]:
    """The actions that an envelope tells of, in the order of its decisions."""
    if line.statement is not None:
        return [_statement(line, line.statement, each) for each in line.decisions]
    return _Maker(line, texts).made()


class _Maker:
    def __init__(self, line: Line, texts: Texts) -> None:
        self.line = line
        self.texts = texts
        self.kept = texts.kept
        self.principal = _principal(line, self.kept)
        self.session = _session(line, self.kept)
        self.known = who(
            kept=self.kept is not None,
            turns=line.session_id is None or bool(self.kept and self.kept.turns is not None),
            folder=line.session_id is None or bool(self.kept and self.kept.repository is not None),
        )
        named = self.kept.headers if self.kept else None
        self.unlooked = (
            frozenset(name for name, value in named.items() if value is None) if named else NOTHING
        )

    def made(self) -> list[Recorded]:
        line = self.line
        calls = [
            (each, text)
            for each, text in zip(line.tools, _padded(self.texts.inputs, line.tools), strict=True)
            if each.get("source") != "mcp"
        ]
        messages = self._messages()
        found: list[Recorded] = []
        used = 0
        for index, said_then in enumerate(line.decisions):
            kind = ActionKind(said_then["action_kind"])
            approval = line.approval_id
            if kind is ActionKind.LLM_TOOL_USE:
                call, text = calls[used] if used < len(calls) else ({}, None)
                used += 1
                approval = call.get("approval_id")
                action, known = self._call(call, text)
            elif kind is ActionKind.MCP_CALL:
                action, known = self._mcp(index, messages)
            elif kind is ActionKind.GIT_PUSH:
                action, known = self._push()
            elif line.message is not None:
                http, known = self._http()
                action, more = message_of(line.message, self.texts.body, http, line.listener)
                known = (*known, *more)
            else:
                action, known = self._request(kind)
            found.append(self._recorded(index, said_then, action, known, approval))
        return found

    def _recorded(
        self,
        index: int,
        said_then: Mapping[str, Any],
        action: Action,
        known: Known,
        approval: str | None,
    ) -> Recorded:
        kept = self.kept
        message, origins = self.line.message, tuple(said_then.get("origins") or ())
        findings = kept.findings[index] if kept and index < len(kept.findings) else ()
        if message is not None:
            findings = findings_of(message)
        if kept and kept.budget:
            action = replace(action, budget=kept.budget)
        if origins or (kept and index < len(kept.tainted) and kept.tainted[index]):
            action = replace(action, tainted=True, origins=origins)
        if kept and index < len(kept.new_host) and kept.new_host[index]:
            action = replace(action, novelty={**action.novelty, "host": True})
        hidden = hidden_of(action.kind, (self.known, *known))
        unlooked = self.unlooked if action.http else NOTHING
        if unlooked:
            hidden = {**hidden, "http.headers": NOT_LOOKED}
        verdict, rule = _said(said_then)
        return Recorded(
            case=Case(
                principal=self.principal,
                session=self.session,
                action=action,
                findings=findings,
                now=self.line.ts,
            ),
            hidden=hidden,
            verdict=verdict,
            rule_id=rule,
            policy_version=self.line.policy_version,
            digest=said_then.get("action_digest") or "",
            flow_id=self.line.flow_id,
            approval_id=approval,
            cut=kept.cut if kept else message is not None and cut_of(message),
            unlooked=unlooked,
        )

    def _request(self, kind: ActionKind) -> tuple[Action, Known]:
        line, kept = self.line, self.kept
        http, known = self._http()
        llm = None
        if kind is ActionKind.HTTP_REQUEST:
            told = kept.content_type if kept else None
            read = self.texts.body is not None or not line.size
            if told is not None and told != _PARTS and read:
                http = replace(http, json=self._json(told))
                known = (*known, JSON)
        elif kind is ActionKind.LLM_REQUEST:
            llm, more = self._llm()
            known = (*known, *more)
        action = Action(
            kind=kind,
            listener=line.listener,
            target=f"{line.method} {line.scheme}://{line.host}:{line.port}{http.path}",
            size=self._size(),
            http=http,
            llm=llm,
        )
        return action, known

    def _push(self) -> tuple[Action, Known]:
        """A push to a git server."""
        http, known = self._http()
        found = push_of(self.texts.body)
        fields = found[0] if found else GitFields()
        if found:
            lacking = found[1] | (REPLACED if self.kept is None or self.kept.cut else NOTHING)
            known = (*known, GIT - lacking)
        action = Action(
            kind=ActionKind.GIT_PUSH,
            listener=self.line.listener,
            target=f"push {fields.repository} {' '.join(fields.refs)}",
            size=self._size(),
            http=http,
            git=fields,
        )
        return action, known

    def _size(self) -> int:
        kept = self.kept
        return self.line.size if kept is None or kept.size is None else kept.size

    def _http(self) -> tuple[HttpFields, Known]:
        line, kept = self.line, self.kept
        path, query = _place(line.path)
        told = kept if kept and kept.headers is not None else None
        headers = told.headers if told and told.headers else {}
        if self.unlooked:
            headers = {name: value or "" for name, value in headers.items()}
        http = HttpFields(
            method=line.method,
            scheme=line.scheme,
            host=line.host,
            port=line.port,
            path=path,
            query=query,
            headers=cast("Mapping[str, str]", headers),
            content_type=(told.content_type if told else None) or "",
            operation=(told.operation if told else None) or "",
            violations=(told.violations if told else None) or (),
            credential=(told.credential if told else None) or CredentialSource.NONE,
        )
        if told is None:
            return http, (LINE,)
        known = (
            LINE,
            HEADERS,
            *(() if told.content_type is None else (TYPE,)),
            *(() if told.operation is None else (OPERATION,)),
            *(() if told.violations is None else (VIOLATIONS,)),
        )
        return http, known

    def _json(self, content_type: str) -> Any:
        found = said(self.texts.body or b"", content_type, content_type)
        return None if isinstance(found, str) else found

    def _llm(self) -> tuple[LlmFields, Known]:
        """What the request to the model was, as far as that was kept."""
        line, kept = self.line, self.kept
        model = line.model or ""
        if kept and kept.llm:
            return kept.llm, (LLM,)
        if self.texts.body is not None and line.model is not None:
            try:
                message = parse_request(self.texts.body)
            except ClientError:
                pass
            else:
                fields = LlmFields(
                    model=message.model,
                    stream=message.stream,
                    max_tokens=message.max_tokens,
                    tools=message.tools,
                    features=message.features,
                    request_class=line.request_class,
                )
                return fields, (LLM,)
        fields = LlmFields(model=model, stream=line.stream, request_class=line.request_class)
        return fields, () if line.model is None else (TURN,)

    def _call(self, call: Mapping[str, Any], text: bytes | None) -> tuple[Action, Known]:
        """A tool call of the model's; what carried it is not shown to rules."""
        name = call.get("name")
        if name is None or text is None:
            if name is not None and call.get("input") is None and self.kept:
                text = b""  # a call without any input has no content to refer to
            else:
                known = NAMED_CALL if name else UNNAMED_CALL
                action = Action(
                    kind=ActionKind.LLM_TOOL_USE,
                    listener=self.line.listener,
                    target=name or "",
                    tool=ToolFields(name=name or ""),
                )
                return action, known
        made = _tool_action if len(text) <= _SHORT else _tool_action.__wrapped__
        return made(self.line.listener, name, text), CALL_FIELDS

    def _messages(self) -> list[McpFields] | None:
        """What a message to an MCP server asks for; None where that is not known."""
        line, kept = self.line, self.kept
        server = (kept.server if kept else None) or (line.host if line.scheme == STDIO else None)
        if server is None:
            return None
        if line.answer:
            asked = kept.asked if kept else ()
            return [McpFields(server=server, method=method) for method in asked]
        if line.method in {"GET", "DELETE"}:
            return [McpFields(server=server, method=line.method)]
        if self.texts.body is None:
            return None
        try:
            return list(fields_of(server, read_message(self.texts.body)))
        except ClientError:
            return None

    def _mcp(self, index: int, messages: Sequence[McpFields] | None) -> tuple[Action, Known]:
        line = self.line
        bare = line.answer or line.scheme == STDIO
        http, known = (None, (HTTP,)) if bare else self._http()
        if messages is None or index >= len(messages):
            action = Action(
                kind=ActionKind.MCP_CALL, listener=line.listener, target="", http=http,
                mcp=McpFields(),
            )  # fmt: skip
            return action, known
        fields = messages[index]
        known = (*known, ASKED if line.answer else SENT)
        tool = None
        if fields.method == CALL:
            tool = ToolFields(name=tool_name(fields.server, fields.tool), input=fields.arguments)
        action = Action(
            kind=ActionKind.MCP_CALL,
            listener=line.listener,
            target=target(fields),
            size=self._size(),
            http=http,
            tool=tool,
            mcp=fields,
        )
        return action, known


def _statement(line: Line, said_of: Mapping[str, Any], decision: Mapping[str, Any]) -> Recorded:
    """A SQL statement: all but its text is in the envelope, and rules do not see that."""
    lists = {name: tuple(said_of.get(name) or ()) for name in LISTS}
    novelty = dict(said_of.get("novelty") or {})
    novelty.pop("written", None)
    fields = SqlFields(
        database=said_of.get("database") or "",
        has_where=bool(said_of.get("has_where")),
        read_only=bool(said_of.get("read_only")),
        in_transaction=bool(said_of.get("in_transaction")),
        fingerprint=said_of.get("fingerprint") or "",
        **lists,
    )
    known = who(kept=False, turns=line.session_id is None, folder=line.session_id is None)
    hidden = dict(
        hidden_of(ActionKind.SQL_STATEMENT, (known, SQL, NOVELTY if novelty else NOTHING))
    )
    hidden["action.size"] = NOT_KEPT  # that of the text as it came; what is kept may be redacted
    if line.session_id is not None:
        hidden["session.client"] = NOT_KEPT  # what the envelope names is the database's client
    hidden |= {f"sql.{name}": CUT for name, found in lists.items() if len(found) >= MAX_LIST}
    if len(novelty.get("tables") or ()) >= MAX_LIST:
        hidden["novelty.tables"] = CUT
    verdict, rule = _said(decision)
    what = f"{','.join(fields.verbs)} {','.join(fields.tables)}".strip()
    return Recorded(
        case=Case(
            principal=_principal(line, None),
            session=_session(line, None),
            action=Action(
                kind=ActionKind.SQL_STATEMENT,
                listener=line.listener,
                target=f"{line.listener}/{fields.database} {what}",
                sql=fields,
                novelty=novelty,
                tainted=bool(decision.get("origins")),
                origins=tuple(decision.get("origins") or ()),
            ),
            findings=findings_of(said_of),
            now=line.ts,
        ),
        hidden=hidden,
        verdict=verdict,
        rule_id=rule,
        policy_version=line.policy_version,
        digest=decision.get("action_digest") or "",
        flow_id=line.flow_id,
        approval_id=line.approval_id,
    )


def _said(decision: Mapping[str, Any]) -> tuple[str, str]:
    """Verdict and rule of then, also where global observe let it pass."""
    observed = decision.get("observed") or ()
    told = observed[-1] if decision.get("mode") == "observe" and observed else decision
    return told["verdict"], told["rule_id"] or ""


def _padded(inputs: Sequence[bytes | None], like: Sequence[object]) -> Sequence[bytes | None]:
    return (*inputs, *(None for _ in range(len(like) - len(inputs))))


def _principal(line: Line, kept: Kept | None) -> Principal:
    issuer, _, subject = line.principal.partition("#")
    issued = kept.issued_at if kept and kept.issued_at is not None else line.ts.timestamp()
    human = kept.human if kept and kept.human else None
    return _one(issuer, line.subject or subject, human, line.groups, issued)


@lru_cache(maxsize=1024)
def _one(
    issuer: str, subject: str, human: str | None, groups: tuple[str, ...], issued: float
) -> Principal:
    return Principal(issuer=issuer, subject=subject, human=human, groups=groups, issued_at=issued)


def _session(line: Line, kept: Kept | None) -> Session | None:
    if line.session_id is None:
        return None
    return Session(
        id=line.session_id,
        client=line.client,
        started=line.session_started or line.ts,
        turns=(kept.turns or 0) if kept else 0,
        repository=(kept.repository or "") if kept else "",
        exposed=kept.exposed if kept else (),
        suspicious=kept.suspicious if kept else 0.0,
    )


@lru_cache(maxsize=16384)
def _tool_action(listener: str, name: str, text: bytes) -> Action:
    """As `tool_action`, without what only a digest needs."""
    return Action(
        kind=ActionKind.LLM_TOOL_USE,
        listener=listener,
        target=name,
        size=len(text),
        tool=tool_fields(name, text.decode("utf-8", "surrogatepass")),
    )


@lru_cache(maxsize=4096)
def _place(target: str) -> tuple[str, Mapping[str, str]]:
    """A path as rules compare it, and its query."""
    path, _, query = target.partition("?")
    if not ambiguous(path):
        path = normalized(path)
    return path, joined(parse_qsl(query, keep_blank_values=True)) if query else {}


def utc(value: datetime) -> datetime:
    """DuckDB's times have no zone; the record's are UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)

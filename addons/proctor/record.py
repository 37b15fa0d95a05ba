"""What is said of one exchange: what a door hands to the Gate, and what an envelope holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from proctor.model import (
    Action,
    ActionKind,
    ContentRef,
    CredentialSource,
    Decision,
    Finding,
    LlmFields,
    Principal,
    RecordMode,
    Session,
    Verdict,
    verdict_name,
)
from proctor.redaction.model import strictest


class ContentStream(Protocol):
    """Content that arrives in pieces."""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        ...

    def close(self) -> ContentRef:
        """No more pieces: the reference to all of them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the rules said of all the Actions of one exchange.

    Attributes:
        verdict: Deny beats hold beats allow; the first of the strongest kind.
        decisions: One for each action, in order.
        digests: The actions' digests, in the same order.
        actions: The actions themselves.
        record: How much is kept; full wins.
        policy_version: Digest of the rules that spoke.
        findings: What they were told of.
    """

    verdict: Verdict
    decisions: tuple[Decision, ...]
    digests: tuple[str, ...]
    actions: tuple[Action, ...]
    record: RecordMode
    policy_version: str
    findings: tuple[Finding, ...] = ()

    @property
    def redact(self) -> dict[str, str]:
        """What the rules say of findings, by type; the strictest where they differ."""
        return strictest(decision.redact for decision in self.decisions)

    def as_json(self) -> list[dict[str, object]]:
        """The decisions as they stand in an envelope."""
        return [self.told(at) for at in range(len(self.decisions))]

    def told(self, at: int) -> dict[str, object]:
        """One of the decisions as it stands there."""
        action = self.actions[at]
        return decided(action.kind, self.digests[at], self.decisions[at], action.origins)


def decided(
    kind: ActionKind,
    digest: str,
    decision: Decision,
    origins: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """One decision as it stands in an envelope; of its action, what came from elsewhere."""
    return {
        "action_kind": kind.value,
        "action_digest": digest,
        "verdict": verdict_name(decision.verdict),
        "rule_id": decision.verdict.rule_id,
        "reason": decision.verdict.reason,
        "mode": decision.mode,
        "observed": [
            {"rule_id": seen.rule_id, "verdict": seen.verdict, "reason": seen.reason}
            for seen in decision.observed
        ],
        **({"origins": list(origins)} if origins else {}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gave back, as the client hands it to the model."""

    tool_use_id: str
    content: bytes
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request to the model, as far as the record knows turns."""

    model: str
    prompt: str
    request_class: str
    stream: bool
    results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool call the model made, and what was said of it."""

    id: str
    name: str
    input: bytes
    source: str = "llm"
    verdict: str = "allow"
    rule_id: str | None = None
    approval_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The model's answer, as far as the record knows turns."""

    model: str
    stop_reason: str | None
    output: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tools: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """How thoroughly one direction of an exchange was looked at.

    Attributes:
        looked: Bytes that were looked at.
        skipped: Bytes that were not, by reason: `image`, `signed`, `binary` and the like.
        detectors: Names of the recognizers that ran.
        seconds: How long it took.
        failure: Code of the error that ended the looking, or empty.
    """

    looked: int
    skipped: tuple[tuple[str, int], ...] = ()
    detectors: tuple[str, ...] = ()
    seconds: float = 0.0
    failure: str = ""

    def as_json(self) -> dict[str, object]:
        """The receipt as it stands in an envelope."""
        return {
            "looked": self.looked,
            "skipped": [{"reason": reason, "bytes": size} for reason, size in self.skipped],
            "detectors": list(self.detectors),
            "seconds": round(self.seconds, 6),
            "failure": self.failure,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What rules could see of a request, as the record may hold it: redacted, or left out.

    Attributes:
        size: Bytes as received.
        headers: By lower-case name; None for a value that was not looked at. None where the
            request is no HTTP.
        content_type: None where it may not be kept.
        operation: Likewise.
        violations: Likewise.
        credential: Whose it carries.
        llm: What is asked of the model; None where nothing is.
        server: The MCP server, or empty.
        folder: Where the agent works, as the request says; empty where it does not.
        cut: Something was taken out of it.
    """

    size: int
    headers: Mapping[str, str | None] | None = None
    content_type: str | None = None
    operation: str | None = None
    violations: tuple[str, ...] | None = None
    credential: CredentialSource = CredentialSource.NONE
    llm: LlmFields | None = None
    server: str = ""
    folder: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One exchange as it stands before anything leaves.

    Attributes:
        body: The request's exact bytes as the client may see them, or None for no content.
        cuts: Byte offsets at which the record cuts the body.
        started_at: When the request's first byte came.
        findings: What was found in the request.
        receipt: How the request was looked at; None where it was not.
        approval_id: The approval that let it pass, or None.
        seen: What rules could see of it, as far as that may be kept; None where it may not.
    """

    flow_id: str
    listener: str
    protocol: str
    method: str
    scheme: str
    host: str
    port: int
    path: str
    started_at: datetime
    client: str = ""
    body: bytes | None = None
    cuts: Sequence[int] = ()
    question: Question | None = None
    findings: tuple[Finding, ...] = ()
    receipt: Receipt | None = None
    approval_id: str | None = None
    seen: Seen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How an exchange ended.

    Attributes:
        status: HTTP status, or None where there is none.
        request_bytes: What has been sent, where that was not known at the beginning.
        error: What went wrong, or None.
        coverage: `full`, or what of the answer was not read, and why.
        body: The response's content: exact bytes, a stream to be closed, or None.
        findings: What was found in the response.
        receipt: How the response was looked at; None where it was not.
        rulings: What the rules said of what the answer asks for.
        tools: Tool calls that the exchange itself was.
        results: What these gave back.
    """

    status: int | None
    response_bytes: int
    request_bytes: int | None = None
    error: str | None = None
    coverage: str = "full"
    body: bytes | ContentStream | None = None
    reply: Reply | None = None
    findings: tuple[Finding, ...] = ()
    receipt: Receipt | None = None
    rulings: tuple[Ruling, ...] = ()
    tools: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a conversation, before it is passed on or instead of that.

    Attributes:
        number: Of all of its conversation, both ways, from 1.
        direction: Who says it: `client` or `server`.
        text: It is text, else binary.
        size: Bytes as it came.
        body: As it may be kept; None for nothing.
        ruling: What the rules said; None where they were not asked.
        verdict: What became of it.
        findings: What was found in it.
        receipt: How it was looked at; None where it was not.
        approval_id: The approval that let it pass, or None.
        error: Why it was not passed on, or None.
    """

    number: int
    direction: str
    text: bool
    size: int
    body: bytes | None = field(default=None, repr=False)
    ruling: Ruling | None
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    receipt: Receipt | None = None
    approval_id: str | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Ticket:
    """What `begin` gives and `end` takes: an exchange that was let through.

    Attributes:
        begin_seq: Number of its first record.
        keep: Whether content is kept.
        scope: The recorder's, for this session's content.
        fields: What the first record says.
        turn: Of these, what it says of the request to the model, or None.
        principal: Whose it is.
        session: In which run.
    """

    begin_seq: int
    keep: bool
    scope: Any
    fields: dict[str, object]
    turn: dict[str, object] | None
    principal: Principal
    session: Session | None


def common(
    opening: Opening,
    principal: Principal | None,
    session: Session | None,
    verdict: Verdict,
    ruling: Ruling | None,
) -> dict[str, object]:
    """What every record of an exchange says, in the order in which it is written."""
    return {
        "flow_id": opening.flow_id,
        "session_id": session.id if session else None,
        "session_started": timestamp(session.started) if session else None,
        "principal": principal.key if principal else None,
        "subject": principal.subject if principal else None,
        "groups": list(principal.groups) if principal else [],
        "listener": opening.listener,
        "protocol": opening.protocol,
        "method": opening.method,
        "scheme": opening.scheme,
        "host": opening.host,
        "port": opening.port,
        "path": opening.path,
        "request_bytes": len(opening.body) if opening.body else 0,
        "started_at": timestamp(opening.started_at),
        "verdict": verdict_name(verdict),
        "rule_id": verdict.rule_id,
        "reason": verdict.reason,
        "record": ruling.record.value if ruling else RecordMode.METADATA.value,
        "correlated_by": session.correlated_by if session else None,
        "client": session.client if session else opening.client,
        "policy_version": ruling.policy_version if ruling else "",
        "approval_id": opening.approval_id,
        "decisions": ruling.as_json() if ruling else [],
        "findings": finding_rows(opening.findings),
        "receipt": {"request": opening.receipt.as_json()} if opening.receipt else {},
    }


_WHO = (
    *("flow_id", "session_id", "session_started", "principal", "subject", "groups", "listener"),
    *("protocol", "method", "scheme", "host", "port", "path", "correlated_by", "client"),
)


def message_fields(
    ticket: Ticket, said: Said, content: ContentRef | None, record: RecordMode
) -> dict[str, object]:
    """What the record of a message says.

    Args:
        ticket: Of its conversation.
        said: The message.
        content: Where it is kept; None where it is not.
        record: How much is kept.
    """
    ruling, mine = said.ruling, said.direction == "client"
    ref = content.as_json() if content else None
    side = "request" if mine else "response"
    return {
        **{name: ticket.fields[name] for name in _WHO},
        "begin_seq": ticket.begin_seq,
        "n": said.number,
        "direction": said.direction,
        "type": "text" if said.text else "binary",
        "bytes": said.size,
        "request": ref if mine else None,
        "response": None if mine else ref,
        "verdict": verdict_name(said.verdict),
        "rule_id": said.verdict.rule_id,
        "reason": said.verdict.reason,
        "record": record.value,
        "policy_version": ruling.policy_version if ruling else "",
        "approval_id": said.approval_id,
        "decisions": ruling.as_json() if ruling else [],
        "findings": finding_rows(said.findings),
        "receipt": {side: said.receipt.as_json()} if said.receipt else {},
        "error": said.error,
    }


def ended(fields: dict[str, Any], closing: Closing, now: datetime) -> None:
    """Add how an exchange ended, and what was found in the response to what the request held."""
    if closing.findings:
        fields["findings"] = [*fields["findings"], *finding_rows(closing.findings)]
    if closing.receipt:
        fields["receipt"] = {**fields["receipt"], "response": closing.receipt.as_json()}
    fields["status"] = closing.status
    if closing.request_bytes is not None:
        fields["request_bytes"] = closing.request_bytes
    fields["response_bytes"] = closing.response_bytes
    fields["ended_at"] = timestamp(now)
    fields["error"] = closing.error
    fields["coverage"] = closing.coverage


def finding_rows(found: Sequence[Finding]) -> list[dict[str, object]]:
    """Findings as they stand in an envelope."""
    return [
        {
            "direction": finding.direction,
            "location": finding.location,
            "entity_type": finding.type,
            "detector": finding.detector,
            "action": finding.action,
            "digest": finding.digest,
            "score": round(finding.score, 3),
        }
        for finding in found
    ]


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as records write it."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text[:26] + "Z"

"""A message to an MCP server as it leaves: with the values that rules put back into it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proctor.errors import InternalError, RefusedError
from proctor.gate import strongest
from proctor.model import Deny, RecordMode, verdict_name
from proctor.protocols.jsonspan import loads
from proctor.protocols.mcp.actions import mcp_actions
from proctor.protocols.mcp.agreement import repeated
from proctor.protocols.mcp.messages import Message, bad_message, dumped, read
from proctor.record import Ruling
from proctor.redaction import cutting
from proctor.redaction.restore import Restorer
from proctor.redaction.screen import Screen
from proctor.stages.exchange import Exchange
from proctor.stages.pinning import pinned

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

_RANK = {"allow": 0, "hold": 1, "deny": 2}


def mcp_leaving(
    suite: "Suite",
    exchange: Exchange,
    screen: Screen,
    record: cutting.Message,
    leaving: cutting.Message,
) -> tuple[cutting.Message, cutting.Message]:
    """A redacted message as it is kept, and as it leaves.

    Where values are put back, the rules are asked about them, too, and the stricter answer counts.

    Args:
        suite: What the stages share.
        exchange: Judged as it came.
        screen: Of its listener.
        record: The message as it may be kept.
        leaving: The message without what must not leave.

    Raises:
        RefusedError: With the values put back, the rules deny it.
        ClientError: `mcp-message`: its id holds something that must not leave.
    """
    message, ruling = exchange.mcp, exchange.ruling
    if message is None or ruling is None or exchange.principal is None:
        raise InternalError("not-decided", "A stage before redaction is missing")
    types = frozenset.intersection(*(decision.restore for decision in ruling.decisions))
    if types:
        restorer = screen.restorer(exchange.principal, types)
        leaving = replace(leaving, content=_put_back(leaving.content, restorer))
    if leaving.content == record.content and record.content == message.raw:
        return record, leaving
    kept, sent = read(record.content), read(leaving.content)
    if sent.id != message.id:
        raise bad_message("an id that holds something that must not leave")
    if types and sent.params != kept.params:
        exchange.ruling = _stricter(suite, exchange, ruling, sent)
    return (
        replace(record, fields=repeated(record.fields, message, kept)),
        replace(leaving, fields=repeated(leaving.fields, message, sent)),
    )


def mcp_kept(message: Message, record: cutting.Message) -> cutting.Message:
    """A redacted message as it is kept, its header fields, too.

    Args:
        message: As it came.
        record: Without what must not be kept.

    Raises:
        ClientError: `mcp-message`.
    """
    if record.content == message.raw:
        return record
    return replace(record, fields=repeated(record.fields, message, read(record.content)))


def _put_back(content: bytes, restorer: Restorer) -> bytes:
    members: dict[str, Any] = loads(content.decode())
    params = members.get("params")
    if params is None:
        return content
    restored = _restored(params, restorer)
    return content if restored == params else dumped({**members, "params": restored})


def _restored(value: Any, restorer: Restorer) -> Any:
    if isinstance(value, dict):
        return {key: _restored(each, restorer) for key, each in value.items()}
    if isinstance(value, list):
        return [_restored(each, restorer) for each in value]
    return restorer.restore(value) if isinstance(value, str) else value


def _stricter(suite: "Suite", exchange: Exchange, ruling: Ruling, sent: Message) -> Ruling:
    """What the rules say of what came, and of what leaves."""
    if exchange.principal is None:
        raise InternalError("not-decided", "A stage before redaction is missing")
    fields = exchange.actions[0].http
    actions = [
        replace(action, http=fields)
        for action in mcp_actions(exchange.listener, exchange.to.name, sent)
    ]
    real = pinned(
        suite,
        suite.gate.decide(exchange.principal, exchange.session, actions, exchange.findings),
    )
    decisions = tuple(
        max(each, key=lambda decision: _RANK[verdict_name(decision.verdict)])
        for each in zip(ruling.decisions, real.decisions, strict=True)
    )
    verdict = strongest(decisions)
    if isinstance(verdict, Deny) and not verdict.appeal:
        raise RefusedError("policy-denied", verdict.reason, rule_id=verdict.rule_id)
    modes = {ruling.record, real.record}
    return replace(
        real,
        verdict=verdict,
        decisions=decisions,
        record=RecordMode.FULL if RecordMode.FULL in modes else RecordMode.METADATA,
    )

"""The way of a client's message: who, what, what must not pass, may it, a human.

The order is the Gate's contract, as every door keeps it.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, assert_never

from proctor.approval.cards import seal, tool_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held, Release, Waiting
from proctor.approval.killed import ended
from proctor.approval.model import Card
from proctor.errors import ClientError, InternalError, RefusedError
from proctor.mcp.difference import with_definition
from proctor.mcp.kept import arguments_of
from proctor.mcp.model import Pin
from proctor.model import Action, Allow, Decision, Deny, Hold
from proctor.protocols.jsonspan import loads
from proctor.protocols.mcp.actions import CALL, mcp_actions, tool_name, tool_use_id
from proctor.protocols.mcp.messages import Kind, Message, dumped, read
from proctor.provenance.cards import with_origins
from proctor.redaction.cutting import Message as Cutting
from proctor.redaction.cutting import cut_http
from proctor.redaction.model import RedactionError
from proctor.stages.pinning import open_pin, pinned
from proctor.stdio.exchange import Exchange, House

_JSON: Final = "application/json"
_GIVEN: Final = ("requestState", "nextCursor")
_RETURNED: Final = ("requestState", "cursor")
_MAX_GIVEN: Final = 10_000


class Given:
    """The server's own tokens, which mean nothing to anyone else: they go back as they came.

    What a client gives under their names and did not get is looked at like everything else.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def out(self, message: Message, clean: bytes) -> bytes:
        """A server's answer as the client gets it: with its tokens as they are.

        Args:
            message: As the server sent it.
            clean: The same, redacted.
        """
        tokens = {key: v for key in _GIVEN if isinstance(v := message.result.get(key), str)}
        for value in tokens.values():
            self._known[_digest(value)] = None
            if len(self._known) > _MAX_GIVEN:
                self._known.popitem(last=False)
        return _with(clean, "result", tokens)

    def back(self, message: Message, clean: bytes) -> bytes:
        """A client's message as it leaves."""
        tokens = {
            key: value
            for key in _RETURNED
            if isinstance(value := message.params.get(key), str) and _digest(value) in self._known
        }
        return _with(clean, "params", tokens)


class Asking:
    """Takes one message as far as where it may leave; what it raises is why it may not.

    Args:
        house: What stands behind the door.
        given: Tokens of the server's.
    """

    def __init__(self, house: House, given: Given) -> None:
        self._house = house
        self._given = given

    async def judge(self, exchange: Exchange, message: Message) -> None:
        """See what is in it, and what the rules say; then take out what must not pass.

        Raises:
            ClientError: It cannot be read in one way only.
            RefusedError: It may not happen.
            RedactionError: It could not be looked at whole.
        """
        house, principal = self._house, exchange.principal
        if principal is None:
            raise InternalError("not-admitted", "A message that nobody was admitted for")
        exchange.actions = mcp_actions(exchange.listener, exchange.server, message)
        await self._look(exchange, message)
        if kill := house.gate.killed(principal, exchange.session):
            raise ended(kill)
        marked = [house.intake.marked(principal, action) for action in exchange.actions]
        exchange.actions = tuple(action for action, _ in marked)
        exchange.origins = tuple(each for _, found in marked for each in found)
        ruling = house.gate.decide(principal, exchange.session, exchange.actions, exchange.findings)
        exchange.ruling = ruling = pinned(house, ruling)
        match ruling.verdict:
            case Allow() | Hold():
                pass
            case Deny(appeal=()) as deny:
                raise RefusedError("policy-denied", deny.reason, rule_id=deny.rule_id)
            case Deny():
                pass  # `hold` asks whether it was appealed
            case never:
                assert_never(never)
        self._take_out(exchange, message)

    @staticmethod
    def held(exchange: Exchange) -> list[tuple[Action, str, Decision]]:
        """What of it has to wait for humans."""
        ruling = exchange.ruling
        if ruling is None:
            raise InternalError("not-decided", "A message that was not decided about")
        triples = zip(ruling.actions, ruling.digests, ruling.decisions, strict=True)
        return [each for each in triples if not isinstance(each[2].verdict, Allow)]

    async def hold(self, exchange: Exchange) -> None:
        """Wait for humans.

        Raises:
            RefusedError: They do not agree, or nobody does in time.
            InternalError: Their answer cannot be had.
        """
        house = self._house
        for action, digest, decision in self.held(exchange):
            pin = open_pin(house, action)
            waiting = house.gate.hold(
                self._asked(exchange, action, digest, decision, pin), lambda _approval: None
            )
            exchange.waiting.add(waiting)
            try:
                release = await self._outcome(exchange, waiting)
            finally:
                exchange.waiting.discard(waiting)
            exchange.approval_id = release.name
            if isinstance(decision.verdict, Deny) and exchange.ruling:
                said = decision.verdict
                appealed = Hold(rule_id=said.rule_id, reason=said.reason, terms=said.appeal)
                exchange.ruling = replace(exchange.ruling, verdict=appealed)
            if pin and action.mcp:
                by = f"approval {release.name}"
                await house.pins.accept(action.mcp.server, action.mcp.tool, pin.seen, by)

    @staticmethod
    async def _outcome(exchange: Exchange, waiting: Waiting) -> Release:
        release = await waiting.outcome()
        if exchange.why:
            raise exchange.why
        return release

    def conceal(self, exchange: Exchange) -> None:
        """Have what is refused be kept as it may be seen."""
        screen, message = self._house.screen, exchange.message
        if exchange.kept or message is None:
            return
        look, cut, principal = exchange.look, exchange.cut, exchange.principal
        if screen is None:
            exchange.kept, exchange.path = message.raw, _path(message)
        elif look and cut and principal:
            redact = exchange.ruling.redact if exchange.ruling else {}
            try:
                shown = cut.whole(screen.mask(look, redact, principal))
            except (RedactionError, ClientError):
                return  # nothing of it is shown
            exchange.kept, exchange.path = shown.content, shown.target.decode("latin-1")

    async def _look(self, exchange: Exchange, message: Message) -> None:
        screen = self._house.screen
        if screen is None:
            return
        whole = Cutting(_path(message).encode(), (), message.raw)
        exchange.cut = cut_http(whole, frozenset(), _JSON, "")
        try:
            exchange.look = await screen.look(exchange.cut.pieces)
        except RedactionError as error:
            exchange.receipt = screen.receipt(None, error)
            raise
        exchange.receipt = screen.receipt(exchange.look)
        exchange.findings = screen.findings(exchange.look, {})

    def _take_out(self, exchange: Exchange, message: Message) -> None:
        screen = self._house.screen
        if screen is None:
            exchange.sent = exchange.kept = message.raw
            exchange.path = _path(message)
            return
        look, cut, ruling = exchange.look, exchange.cut, exchange.ruling
        if not (look and cut and ruling and exchange.principal):
            raise InternalError("not-searched", "A message is to leave that was not looked at")
        redact = ruling.redact
        if redact:
            exchange.findings = screen.findings(look, redact)
        sent = screen.take_out(look, redact, exchange.principal, exchange.session)
        record, leaving = cut.whole(sent.record), cut.whole(sent.sent)
        exchange.path, exchange.kept = record.target.decode("latin-1"), record.content
        exchange.sent = self._given.back(message, leaving.content)
        after = read(exchange.sent)
        if (after.kind, after.method, after.id) != (message.kind, message.method, message.id):
            # The server would answer something that nobody asked.
            raise RefusedError(
                "redaction-blocked",
                "The name of this request holds something that must not leave",
                expected="another `id`",
                rule_id="redaction",
            )

    def _asked(
        self,
        exchange: Exchange,
        action: Action,
        digest: str,
        decision: Decision,
        pin: Pin | None,
    ) -> Held:
        if exchange.principal is None:
            raise InternalError("not-admitted", "A message that nobody was admitted for")
        card, values = _card(exchange, action)
        card = with_origins(card, exchange.origins, self._house.intake.now())
        if pin:
            card = with_definition(card, pin)
        shape, pattern = suggest(action, hidden=bool(card.hidden))
        return Held(
            principal=exchange.principal,
            session=exchange.session,
            action=action,
            digest=digest,
            decision=decision,
            findings=exchange.findings,
            card=card,
            sealed=seal(values, self._house.sealing),
            shape=shape,
            pattern=pattern,
            flow_id=exchange.flow_id,
        )


def _card(exchange: Exchange, action: Action) -> tuple[Card, dict[str, str]]:
    fields = action.mcp
    call = fields is not None and fields.method == CALL
    shown = arguments_of if call else _params_of
    # The target of anything else may name an address with something in it.
    asked = exchange.path.removeprefix("/")
    return tool_card(
        name=tool_name(fields.server, fields.tool)
        if fields and call
        else f"{exchange.server} {asked}",
        record=shown(exchange.kept),
        real=shown(exchange.sent),
        prompt="",
        findings=exchange.findings,
        tool_use_id=tool_use_id(exchange.message) if exchange.message else "",
    )


def _params_of(body: bytes) -> str:
    """What a message other than a call says, as JSON."""
    message = read(body)
    said: Mapping[str, Any] = message.params or message.result or message.error
    return json.dumps({k: v for k, v in said.items() if k != "_meta"}, ensure_ascii=False)


def _path(message: Message) -> str:
    """What stands in the record as its path."""
    return f"/{message.method or Kind.RESPONSE}"


def _digest(value: str) -> bytes:
    return sha256(value.encode("utf-8", "surrogatepass")).digest()


def _with(body: bytes, where: str, values: Mapping[str, str]) -> bytes:
    if not values:
        return body
    members: dict[str, Any] = loads(body.decode())
    inside = {**members[where], **values}
    return body if inside == members[where] else dumped({**members, where: inside})

"""The turns of a session that can be served: what was asked, and what the record has as the answer.

An answer is served as the record has it, which is what the client saw, less what was taken out.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from proctor.audit.conversation import Conversation
from proctor.audit.reader import Content
from proctor.audit.turns import Turn
from proctor.errors import ClientError, RefusedError
from proctor.protocols.anthropic.refusal import anthropic_refusal
from proctor.replay.matching import Recorded
from proctor.replay.normal import Own, asked, own
from proctor.replay.outcome import outcome
from proctor.replay.plan import Request

MESSAGES: Final = "/v1/messages"
ROUTES: Final = (MESSAGES, f"{MESSAGES}/count_tokens")
_CUT: Final = "cut:"
_DENIED: Final = 451
"""What a client gets that a rule says no to (RFC 7725)."""

_SAME: Final = "detect"
"""What is done with a finding where nothing is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A session to be served.

    Attributes:
        session: Its name.
        turns: What can be served, in order of time.
        left_out: By number of a turn, why it cannot be.
        own: What was the recorded run's own.
        types: Entity types of what was taken out of it.
    """

    session: str
    turns: tuple[Recorded, ...]
    left_out: dict[int, str]
    own: Own
    types: frozenset[str]


def read(talk: Conversation) -> Recording:
    """All turns of a session that went to the model.

    Raises:
        ClientError: `replay-nothing`: none can be served.
    """
    turns: list[Recorded] = []
    left_out: dict[int, str] = {}
    types: set[str] = set()
    known: dict[str, str] = {}
    run = _own(talk)
    for turn in _of_the_model(talk):
        types |= {found.type for found in turn.exchange.findings if found.action != _SAME}
        problem = _unservable(turn)
        if problem is None:
            request = _bytes(turn.request_body)
            try:
                turns.append(_recorded(turn, request, run, known))
            except ClientError as error:
                problem = f"its request cannot be read: {error.code}"
        if problem:
            left_out[turn.number] = problem
    if not turns:
        why = next(iter(left_out.values()), "it never asked the model")
        raise ClientError(
            code="replay-nothing",
            message="Nothing of this session can be served",
            got=why,
            expected="at least one turn of the model's with its content on record",
            status=404,
        )
    return Recording(
        session=talk.totals.session_id or "",
        turns=tuple(turns),
        left_out=left_out,
        own=run,
        types=frozenset(types),
    )


def _own(talk: Conversation) -> Own:
    """The first folder and name that a request tells; side requests tell none."""
    run = Own()
    for turn in _of_the_model(talk):
        if _unservable(turn) is None:
            with suppress(ClientError):  # said of the turn itself
                found = own(_bytes(turn.request_body))
                run = Own(folder=run.folder or found.folder, session=run.session or found.session)
        if run.folder and run.session:
            break
    return run


def _of_the_model(talk: Conversation) -> Iterator[Turn]:
    for turn in talk.turns(limit=0, bodies=True):
        exchange = turn.exchange
        if exchange.method == "POST" and route(exchange.path) in ROUTES and not turn.outside:
            yield turn


def route(path: str) -> str:
    """A path without its query."""
    return path.partition("?")[0]


def _recorded(turn: Turn, request: bytes, run: Own, known: dict[str, str]) -> Recorded:
    exchange = turn.exchange
    found = asked(request, run)
    # The history comes again with each turn: each message is kept once.
    messages = tuple(known.setdefault(each, each) for each in found.messages)
    return Recorded(
        turn=turn.number,
        route=route(exchange.path),
        asked=replace(
            found, system=known.setdefault(found.system, found.system), messages=messages
        ),
        status=exchange.status or 0,
        answer=_answer(turn),
        cut=(exchange.coverage or "").startswith(_CUT),
    )


def _unservable(turn: Turn) -> str | None:
    exchange = turn.exchange
    for missing, why in (
        (exchange.ended_at is None or exchange.status is None, "it had no answer"),
        (exchange.refused and not _denied(turn), "proctor did not let it in"),
        (exchange.record == "metadata", "its content was not recorded"),
    ):
        if missing:
            return why
    bodies = [(turn.request_body, "request")]
    if not exchange.refused:
        bodies.append((turn.response_body, "answer"))
    for content, what in bodies:
        if content is None or content.erased:
            return f"its {what} {'was erased' if content else 'is not on record'}"
        if len(content.text.encode("utf-8", "surrogatepass")) != content.size:
            return f"its {what} is no UTF-8"
    return None


def _denied(turn: Turn) -> bool:
    """Whether a rule, or a human, said no: the client was told so, and nothing was sent."""
    return turn.exchange.refused and turn.exchange.status == _DENIED


def _answer(turn: Turn) -> bytes:
    """What the client got; a refusal of proctor's is not kept as content, and is made again."""
    exchange = turn.exchange
    if not exchange.refused:
        return _bytes(turn.response_body)
    no = RefusedError("policy-denied", exchange.reason, rule_id=exchange.rule_id)
    return anthropic_refusal(no).body


def _bytes(content: Content | None) -> bytes:
    return content.text.encode() if content else b""


def to_send(talk: Conversation, first: int, last: int) -> list[Request]:
    """The requests to the model of these turns, as they were recorded.

    Raises:
        ClientError: `replay-nothing`: there is none that could be sent.
    """
    found: list[Request] = []
    why = "no turn of the model's among them"
    for turn in _of_the_model(talk):
        if not first <= turn.number <= last or route(turn.exchange.path) != MESSAGES:
            continue
        problem = "proctor refused it" if turn.exchange.refused else _unservable(turn)
        if problem:
            why = problem
            continue
        before = outcome(turn.exchange.status or 0, _bytes(turn.response_body), turn.seconds or 0.0)
        found.append(
            Request(
                turn=turn.number,
                path=turn.exchange.path,
                model=turn.exchange.model or "",
                body=_bytes(turn.request_body),
                recorded=before,
            )
        )
    if not found:
        raise ClientError(
            code="replay-nothing",
            message="Nothing of this session can be sent",
            got=why,
            expected="turns of the model's with their content on record",
            status=404,
        )
    return found

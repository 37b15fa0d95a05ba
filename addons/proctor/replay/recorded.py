"""The turns of a session that can be served: what was asked, and what the record has as the answer.

An answer is served as the record has it, which is what the client saw, less what was taken out.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from proctor.audit.conversation import Conversation
from proctor.audit.reader import Content
from proctor.audit.turns import Turn
from proctor.errors import ClientError, RefusedError
from proctor.model import ActionKind
from proctor.policy import casefile
from proctor.protocols.anthropic.refusal import anthropic_refusal
from proctor.replay.matching import Recorded
from proctor.replay.normal import Own, asked, own
from proctor.replay.outcome import outcome, plain_outcome
from proctor.replay.plan import Request

MESSAGES: Final = "/v1/messages"
ROUTES: Final = (MESSAGES, f"{MESSAGES}/count_tokens")
_CUT: Final = "cut:"
_SWITCHED: Final = 101
"""What followed was no answer (RFC 9110, 15.2.2)."""
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
            hint=watched_only(talk),
            status=404,
        )
    return Recording(
        session=talk.totals.session_id or "",
        turns=tuple(turns),
        left_out=left_out,
        own=run,
        types=frozenset(types),
    )


def watched_only(talk: Conversation) -> str:
    """What is to be said of a session's SQL: a server must not be written to a second time."""
    count = talk.totals.statements
    if not count:
        return ""
    what = "Its SQL statement is" if count == 1 else f"Its {count:,} SQL statements are"
    return f"{what} neither served nor sent again; `proctor replay` plays them."


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
    for turn in talk.turns(limit=0, bodies=True, statements=0):
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


def to_send(talk: Conversation, first: int, last: int, listener: str = "") -> list[Request]:
    """The requests to the model of these turns, or those to an API, as they were recorded.

    Args:
        talk: The session.
        first: Number of the first turn that is meant.
        last: Of the last one.
        listener: Whose requests to an API are meant; "" for those to the model.

    Raises:
        ClientError: `replay-nothing`: there is none that could be sent.
    """
    found: list[Request] = []
    why = "no request through that listener" if listener else "no turn of the model's among them"
    for turn in _through(talk, listener) if listener else _of_the_model(talk):
        meant = listener or route(turn.exchange.path) == MESSAGES
        if not meant or not first <= turn.number <= last:
            continue
        unfit = _unsendable if listener else _unservable
        problem = "proctor refused it" if turn.exchange.refused else unfit(turn)
        if problem:
            why = problem
            continue
        found.append(_to_api(turn) if listener else _to_model(turn))
    if not found:
        raise ClientError(
            code="replay-nothing",
            message="Nothing of this session can be sent",
            got=why,
            expected="requests with their content on record",
            hint=watched_only(talk),
            status=404,
        )
    return found


def _through(talk: Conversation, listener: str) -> Iterator[Turn]:
    for turn in talk.turns(limit=0, bodies=True, statements=0):
        exchange = turn.exchange
        if exchange.listener == listener and exchange.kinds == (ActionKind.HTTP_REQUEST,):
            yield turn


def _to_model(turn: Turn) -> Request:
    exchange = turn.exchange
    return Request(
        turn=turn.number,
        path=exchange.path,
        model=exchange.model or "",
        body=_bytes(turn.request_body),
        recorded=outcome(exchange.status or 0, _bytes(turn.response_body), turn.seconds or 0.0),
    )


def _to_api(turn: Turn) -> Request:
    exchange, answer = turn.exchange, _bytes(turn.response_body)
    body = _bytes(turn.request_body)
    return Request(
        turn=turn.number,
        kind=ActionKind.HTTP_REQUEST,
        method=exchange.method,
        path=exchange.path,
        model="",
        content_type=(_headers(turn).get("content-type") or "") if body else "",
        body=body,
        recorded=plain_outcome(exchange.status or 0, answer, turn.seconds or 0.0),
    )


def _unsendable(turn: Turn) -> str | None:
    """Why a request to an API cannot be sent again as it was; None where it can."""
    exchange, headers = turn.exchange, _headers(turn)
    for missing, why in (
        (exchange.method == "CONNECT" or exchange.status == _SWITCHED, "it is no request"),
        (exchange.ended_at is None or exchange.status is None, "it had no answer"),
        (exchange.record == "metadata", "its content was not recorded"),
        ("content-encoding" in headers, "its body was compressed"),
        (
            exchange.request_bytes and not headers.get("content-type"),
            "the type of its body is not on record",
        ),
    ):
        if missing:
            return why
    bodies = ((turn.request_body, exchange.request_bytes, "request"),
              (turn.response_body, exchange.response_bytes, "answer"))  # fmt: skip
    for content, size, what in bodies:
        if (content is None and size) or (content and content.erased):
            return f"its {what} {'was erased' if content else 'is not on record'}"
    sent = turn.request_body
    if sent and len(sent.text.encode("utf-8", "surrogatepass")) != sent.size:
        return "its request is no UTF-8"
    return None


def _headers(turn: Turn) -> Mapping[str, str | None]:
    """Those of a request that are on record."""
    kept = casefile.read(_bytes(turn.case)) if turn.case and not turn.case.erased else None
    return (kept.headers if kept else None) or {}

"""A session as events in time, for players: who said what when, and what was held or refused.

The record does not hold when each piece of a streamed answer came. It begins with the request and
ends with the answer's end, so an answer's words are spread evenly over that time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from proctor.audit.answers import Said, ServerCall
from proctor.audit.conversation import Conversation
from proctor.audit.held import Held
from proctor.audit.messages import WEBSOCKET
from proctor.audit.reader import Content
from proctor.audit.results import drawn, read_result
from proctor.audit.statements import POSTGRES, Statement
from proctor.audit.turns import Call, Part, Turn
from proctor.audit.wording import parameters, title, unread, words

PAUSE: Final = 2.0
"""Seconds that a pause lasts at most, where pauses are skipped."""

MAX_TEXT: Final = 20_000
"""Characters of one text."""

STATEMENTS: Final = 2000
"""Of one connection that are played; the rest are counted."""

_ROWS, _COLUMNS, _CELL = 20, 12, 40
_PARAMETERS, _PARAMETER = 20, 200

_PIECE: Final = 48
"""Characters of a text that come at once, about."""
_REMINDER: Final = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_WORDLESS: Final = frozenset({"text", "thinking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens in a session.

    Attributes:
        at: Seconds since its beginning.
        until: When all of its text is there; the text comes evenly from `at` on.
        turn: Number of the turn it is of.
        kind: `turn`, `outside`, `you`, `thinks`, `claude`, `tool`, `sql`, `rows`, `result`,
            `failed`, `held`, `refused` or `error`.
        label: What it is about, such as the tool's name; "" where the kind says it all.
        text: What is said; not yet made safe to show.
    """

    at: float
    until: float
    turn: int
    kind: str
    label: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Part of an event's text, when it comes.

    Attributes:
        event: Place of the event in its list.
        first: It is the event's beginning.
        last: It is its end.
    """

    at: float
    event: int
    text: str
    first: bool
    last: bool


def film(talk: Conversation, *, pauses: bool = False, limit: int = MAX_TEXT) -> list[Event]:
    """A whole session in order of time.

    Args:
        talk: The session.
        pauses: Keep pauses as long as they were; else each lasts two seconds at most.
        limit: Characters of one text at most.
    """
    return arranged(
        talk.turns(limit=limit, statements=STATEMENTS),
        talk.totals.started_at,
        pauses=pauses,
        limit=limit,
    )


def arranged(
    turns: Iterable[Turn], start: datetime, *, pauses: bool = False, limit: int = MAX_TEXT
) -> list[Event]:
    """The same, of turns whose first began at `start`."""
    events = [
        replace(event, text=_cut(event.text.rstrip(), limit))
        for turn in turns
        for event in _turn(turn, start)
    ]
    events.sort(key=lambda event: event.at)
    return events if pauses else _shortened(events)


def pieces(events: Sequence[Event]) -> list[Piece]:
    """The events' texts as they come, in order of time."""
    found = [piece for index, event in enumerate(events) for piece in _pieces(index, event)]
    return sorted(found, key=lambda piece: piece.at)


def _pieces(index: int, event: Event) -> Iterator[Piece]:
    texts = list(_split(event.text)) if event.until > event.at else [event.text]
    step = (event.until - event.at) / len(texts)
    for place, text in enumerate(texts):
        yield Piece(
            at=event.at + step * place,
            event=index,
            text=text,
            first=place == 0,
            last=place == len(texts) - 1,
        )


def _split(text: str) -> Iterator[str]:
    """At blanks, so that a word is never seen in two halves; a very long one is cut."""
    at = 0
    while len(text) - at > _PIECE:
        blank = max(text.rfind(" ", at, at + _PIECE), text.rfind("\n", at, at + _PIECE))
        end = blank + 1 if blank > at else at + _PIECE
        yield text[at:end]
        at = end
    yield text[at:]


def _shortened(events: Sequence[Event]) -> list[Event]:
    kept: list[Event] = []
    skipped = end = 0.0
    for event in events:
        skipped += max(0.0, event.at - end - PAUSE)
        end = max(end, event.until)
        kept.append(replace(event, at=event.at - skipped, until=event.until - skipped))
    return kept


def _turn(turn: Turn, start: datetime) -> Iterator[Event]:
    exchange, number = turn.exchange, turn.number
    began = max(0.0, (exchange.started_at - start).total_seconds())
    ended = max(began, (exchange.ended - start).total_seconds())
    what = f"{exchange.started_at:%H:%M:%S} · {title(turn) if turn.outside else _question(turn)}"
    kind = "outside" if turn.outside else "turn"
    yield Event(at=began, until=began, turn=number, kind=kind, label=what)
    for result in turn.results:
        name = result.tool_use_id
        yield _result(result.content, began, number, name, is_error=result.is_error)
    if turn.prompt and not turn.same_as:
        text = _REMINDER.sub("", _text(turn.prompt)).strip()
        yield Event(at=began, until=began, turn=number, kind="you", text=text or "(reminders only)")
    yield from _parts(turn, start, began, ended)
    for each in (*turn.held, *turn.after):
        yield from _held(each, start, number)
    yield from _statements(turn, start, ended)
    yield from _messages(turn, start, ended)
    if exchange.refused:
        why = f"by {exchange.rule_id}: {exchange.reason}"
        yield Event(at=ended, until=ended, turn=number, kind="refused", text=why)
    if problem := turn.problem or exchange.error:
        yield Event(at=ended, until=ended, turn=number, kind="error", text=problem)
    if unread(exchange):
        yield Event(at=ended, until=ended, turn=number, kind="outside", label="tunnel closed")
    if exchange.protocol in {POSTGRES, WEBSOCKET} and exchange.ended_at:
        yield Event(at=ended, until=ended, turn=number, kind="outside", label="connection closed")


def _statements(turn: Turn, start: datetime, ended: float) -> Iterator[Event]:
    number = turn.number
    for each in turn.statements:
        yield from _statement(each, start, number)
    if more := turn.said - turn.before - len(turn.statements):
        text = f"… {more:,} more statements are on record"
        yield Event(at=ended, until=ended, turn=number, kind="sql", text=text)


def _messages(turn: Turn, start: datetime, ended: float) -> Iterator[Event]:
    number = turn.number
    for each in turn.messages:
        entry = each.entry
        at = max(0.0, (entry.at - start).total_seconds())
        label = f"{entry.n} · {'→' if entry.direction == 'client' else '←'} {entry.type}"
        if entry.verdict != "allow":
            label += f" ({entry.verdict})"
        text = _text(each.content) if each.content else "(content not recorded)"
        yield Event(at=at, until=at, turn=number, kind="sql", label=label, text=text)
        for held in each.held:
            yield from _held(held, start, number)
        if entry.refused:
            why = f"by {entry.rule_id}: {entry.reason}"
            yield Event(at=at, until=at, turn=number, kind="refused", text=why)
    if more := turn.heard - len(turn.messages):
        text = f"… {more:,} more messages are on record"
        yield Event(at=ended, until=ended, turn=number, kind="sql", text=text)


def _statement(each: Statement, start: datetime, number: int) -> Iterator[Event]:
    entry = each.entry
    began = max(0.0, (entry.at - start).total_seconds())
    over = began + (entry.duration_ms or 0.0) / 1000
    if each.held:  # it goes on record once that is decided, but was said before
        began = min(began, max(0.0, (each.held[0].at - start).total_seconds()))
    what = " ".join((",".join(entry.verbs), ", ".join(entry.tables))).strip()
    label = f"{entry.n} · {what}" if what else str(entry.n)
    if entry.verdict != "allow":
        label += f" ({entry.verdict})"
    text = _text(each.sql) if each.sql else "(content not recorded)"
    if each.parameters and not each.parameters.erased:
        said = parameters(each.parameters, limit=_PARAMETERS, cell=_PARAMETER)
        text += f"\n{said}"
    yield Event(at=began, until=began, turn=number, kind="sql", label=label, text=text)
    for held in each.held:
        yield from _held(held, start, number)
    if entry.refused:
        why = f"by {entry.rule_id}: {entry.reason}"
        yield Event(at=over, until=over, turn=number, kind="refused", text=why)
    elif entry.error:
        yield Event(at=over, until=over, turn=number, kind="failed", text=entry.error)
    elif entry.ended:
        yield Event(
            at=over, until=over, turn=number, kind="rows", label=_outcome(each), text=_given(each)
        )


def _outcome(each: Statement) -> str:
    entry = each.entry
    rows = f"{entry.rows or 0:,} row{'' if entry.rows == 1 else 's'}"
    masked = f" · masked: {', '.join(entry.masked_columns)}" if entry.masked_columns else ""
    return f"{rows} in {entry.duration_ms or 0.0:,.1f} ms{masked}"


def _given(each: Statement) -> str:
    if each.result is not None and each.result.erased:
        return _text(each.result)
    found = read_result(each.result)
    if found is None or isinstance(found, str):
        return found or ""
    return drawn(found, rows=_ROWS, columns=_COLUMNS, cell=_CELL)


def _question(turn: Turn) -> str:
    exchange = turn.exchange
    found = exchange.model or f"{exchange.method} {exchange.path.partition('?')[0]}"
    if exchange.request_class not in {"", "messages"}:
        found += f" · {exchange.request_class}"
    return f"{found} · sent again" if turn.same_as else found


def _parts(turn: Turn, start: datetime, began: float, ended: float) -> Iterator[Event]:
    """What the answer consists of, each for as long as its share of the words."""
    sizes = [max(1, len(_said(part))) for part in turn.parts]
    share = (ended - began) / max(1, sum(sizes))
    at = began
    for part, size in zip(turn.parts, sizes, strict=True):
        until = at + share * size
        yield from _part(part, turn, start, at, until, ended)
        at = until


def _part(  # noqa: PLR0913, PLR0917 - a part, and the times around it
    part: Part, turn: Turn, start: datetime, at: float, until: float, ended: float
) -> Iterator[Event]:
    number, text = turn.number, _said(part)
    match part:
        case Said():
            kind = "thinks" if part.kind == "thinking" else "claude"
            label = "" if part.kind in _WORDLESS else part.kind
            if text.strip() or label:
                yield Event(at=at, until=until, turn=number, kind=kind, label=label, text=text)
        case ServerCall():
            label = f"{part.name} on {part.server}" if part.server else f"{part.name}, provider's"
            yield Event(at=at, until=until, turn=number, kind="tool", label=label, text=text)
        case Call():
            label = part.name if part.verdict == "allow" else f"{part.name} ({part.verdict})"
            yield Event(at=at, until=until, turn=number, kind="tool", label=label, text=text)
            for each in part.held:
                yield from _held(each, start, number)
            if part.result:
                own = part.result.after is None  # what an MCP server gave back itself
                content = words(part.result.content) if own else part.result.content
                came = ended + (part.result.after or 0.0)
                yield _result(content, came, number, part.name, is_error=part.result.is_error)


def _result(content: Content | None, at: float, number: int, name: str, *, is_error: bool) -> Event:
    kind = "failed" if is_error else "result"
    text = "no content on record" if content is None else _text(content)
    return Event(at=at, until=at, turn=number, kind=kind, label=name, text=text)


def _held(held: Held, start: datetime, number: int) -> Iterator[Event]:
    for step in held.steps:
        at = max(0.0, (step.at - start).total_seconds())
        state = "asked" if step.state == "pending" else step.state
        by = f" by {step.by}" if step.by not in {"", "proctor"} else ""
        said = f": {step.reason}" if step.reason else ""
        text = f"{held.rule_id} · {state}{by}{said}"
        yield Event(at=at, until=at, turn=number, kind="held", label=held.id, text=text)


def _said(part: Part) -> str:
    content = part.content if isinstance(part, Said) else part.input
    return _text(content) if content else ""


def _text(content: Content) -> str:
    if content.erased:
        return "(erased from the record)"
    more = f"\n… {content.omitted:,} more bytes" if content.omitted else ""
    return content.text + more


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… {len(text) - limit:,} more characters"

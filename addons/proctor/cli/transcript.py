"""How a conversation looks: a line for each turn, and what was said beside who said it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from proctor.audit.answers import Said, ServerCall
from proctor.audit.exchanges import Exchange
from proctor.audit.messages import WEBSOCKET
from proctor.audit.reader import Content
from proctor.audit.statements import POSTGRES
from proctor.audit.turns import Call, Result, Totals, Turn
from proctor.audit.wording import handed_on, place, same, title, unread, words
from proctor.cli import held, receipts, sqltext, wstext
from proctor.cli.gittext import push_lines, said_lines
from proctor.cli.screen import code, plain, prose, several, span
from proctor.units import format_size

PROMPT_LINES, PROMPT_CHARACTERS = 30, 3000
RESULT_LINES, RESULT_CHARACTERS = 14, 1500
INPUT_LINES, INPUT_CHARACTERS = 24, 2000
_LINE = 72
"""Characters of JSON up to which a tool's input stays on one line."""

_REMINDER = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_STYLES = {
    "you": "bold cyan",
    "claude": "bold green",
    "thinks": "dim italic",
    "tool": "bold magenta",
    "result": "magenta",
    "failed": "bold red",
    "refused": "bold red",
    "error": "bold red",
    "mcp": "bold magenta",
    "held": "bold yellow",
    "sql": "bold blue",
    "ws": "bold blue",
    "came": "bold yellow",
    "observed": "bold yellow",
}
_ERRORS = 400  # HTTP statuses from here on (RFC 9110, 15)
_WORDLESS = frozenset({"text", "thinking", "compaction"})
_NEWLINE = "\n"

type Row = tuple[str, RenderableType]


@dataclass(slots=True, kw_only=True)
class Transcript:
    """Draws one session, turn by turn.

    Attributes:
        totals: The session.
        whole: Shorten nothing.
        day: Of the turn before; a change of day is shown.
    """

    totals: Totals
    whole: bool
    day: date | None = None

    def head(self) -> RenderableType:
        """Who, with what, when, and how much."""
        totals = self.totals
        self.day = totals.started_at.date()
        name = totals.session_id or "an exchange of no session"
        who = f"{totals.subject or 'nobody proved'}  {totals.principal or ''}".rstrip()
        if totals.groups:
            who += f"  in {', '.join(totals.groups)}"
        took = span(max(0.0, (totals.ended_at - totals.started_at).total_seconds()))
        when = f"{totals.started_at:%Y-%m-%d %H:%M:%S} UTC, {took}"
        if totals.runs > 1:
            when += f", in {totals.runs} runs"
        figures = [several(totals.turns, "turn"), several(totals.tool_calls, "tool call")]
        if totals.statements:
            figures.append(several(totals.statements, "statement"))
        if totals.outside:
            figures.append(f"{totals.outside:,} outside")
        refused = Text(f"{totals.refused} refused", style="bold red" if totals.refused else "")
        grid = _grid()
        grid.add_row(Text("session", style="bold"), plain(name, "bold"))
        grid.add_row("who", plain(who))
        grid.add_row("client", plain(totals.client or "unknown"))
        grid.add_row("when", plain(when))
        grid.add_row("total", Text(", ").join([*map(Text, figures), refused]))
        grid.add_row("tokens", _tokens(totals))
        return grid

    def turn(self, turn: Turn) -> RenderableType:
        """One turn."""
        grid = _grid()
        for label, content in self._rows(turn):
            grid.add_row(Text(label, style=_STYLES.get(label, "dim")), content)
        grid.add_row("", plain(_ending(turn), "dim"))
        after = _grid()
        for label, content in held.rows(turn.after):
            after.add_row(Text(label, style=_STYLES[label]), content)
        rest = (Text(), after) if turn.after else ()
        return Group(Text(_before(turn), style="dim"), self._rule(turn), grid, *rest)

    def _rule(self, turn: Turn) -> RenderableType:
        exchange = turn.exchange
        started = exchange.started_at
        day = "" if started.date() == self.day else f"{started:%Y-%m-%d} "
        self.day = started.date()
        head = [str(turn.number), f"{day}{started:%H:%M:%S}"]
        if turn.outside:
            head.append(title(turn))
        elif exchange.model is None:
            head.append(f"{exchange.method} {exchange.path.partition('?')[0]}")
        else:
            head.append(exchange.model or "no model")
        if exchange.request_class not in {"", "messages"}:
            head.append(exchange.request_class)
        if turn.beside:
            head.append(f"at the same time as {', '.join(map(str, turn.beside))}")
        text = plain(" · ".join(head), "bold red" if exchange.refused else "bold")
        return Rule(text, align="left", style="dim")

    def _rows(self, turn: Turn) -> Iterator[Row]:
        yield from self._asked(turn)
        if turn.belongs:
            number, name = turn.belongs
            yield "", plain(f"for {name}, called in turn {number}", "dim")
        yield from held.rows(turn.held)
        yield from _ruled(turn.exchange)
        for part in turn.parts:
            match part:
                case Said():
                    yield from self._said(part)
                case ServerCall():
                    yield from self._server_call(part)
                case Call():
                    yield from self._call(part, turn.exchange)
        yield from sqltext.rows(turn, whole=self.whole)
        yield from wstext.rows(turn, whole=self.whole)
        yield from self._looked(turn.exchange)
        yield from _ended(turn)

    def _asked(self, turn: Turn) -> Iterator[Row]:
        if turn.same_as:
            yield "", plain(f"the request of turn {turn.same_as}, sent again", "dim")
            if not self.whole:
                return
        elif matched := len(turn.exchange.results) - len(turn.results):
            yield "", plain(f"brings {several(matched, 'tool result')}", "dim")
        for result in turn.results:
            yield from self._result(result, f"for {result.tool_use_id}, called elsewhere")
        if turn.prompt:
            yield "you", self._prompt(turn.prompt)

    def _said(self, said: Said) -> Iterator[Row]:
        text = said.content.text
        match said.kind:
            case "text" if said.content.erased:
                yield "claude", _erased()
            case "text":
                if text.strip():
                    yield "claude", prose(text)
            case "thinking":
                if text.strip():
                    yield "thinks", self._cut(said.content, PROMPT_LINES, PROMPT_CHARACTERS, "dim")
            case kind:
                yield "", plain(f"[{kind}]", "dim")
                if text and kind not in _WORDLESS:
                    yield "", plain(text, "dim")

    def _server_call(self, call: ServerCall) -> Iterator[Row]:
        where = f"on {call.server}" if call.server else "at the provider"
        yield "tool", _heading(call.name, f"run {where}")
        yield "", self._input(call.name, call.input)

    def _call(self, call: Call, exchange: Exchange) -> Iterator[Row]:
        rule = f" by {call.rule_id}" if call.rule_id else ""
        source = "" if call.source == "llm" else f"{call.source}, "
        yield (
            "tool",
            _heading(
                call.name,
                f"{source}{call.verdict}{rule}",
                "dim" if call.verdict == "allow" else "red",
            ),
        )
        if call.input:
            yield "", self._input(call.name, call.input)
        yield from held.rows(call.held)
        for over in call.over:
            yield from self._over(over, call)
        if call.result and call.result.after is None:
            yield from self._given(call.result)
        elif call.result:
            after = span(call.result.after or 0.0)
            yield from self._result(call.result, f"in turn {call.result.turn}, {after} later")
        elif exchange.ended_at and exchange.session_id and not exchange.refused:
            yield "", plain("no result came", "dim")

    def _over(self, turn: Turn, made: Call) -> Iterator[Row]:
        """A call of the model's as it came by over MCP; nothing is said twice."""
        exchange = turn.exchange
        note = f"turn {turn.number} · {place(exchange)} · {_ending(turn)}"
        yield "mcp", plain(note, "red" if exchange.refused else "dim")
        yield from _ruled(exchange)
        for call in turn.parts:
            if not isinstance(call, Call):
                continue
            known = {each.id for each in made.held}
            yield from held.rows([each for each in call.held if each.id not in known])
            if call.input and not same(call.input, made.input):
                yield "", self._input(call.name, call.input)
            given = made.result.content if made.result else None
            if call.result and not handed_on(call.result.content, given):
                yield from self._given(call.result)
        yield from _ended(turn)

    def _given(self, result: Result) -> Iterator[Row]:
        """What an MCP server gave back, in its words."""
        yield from self._result(replace(result, content=words(result.content)), "from the server")

    def _result(self, result: Result, note: str) -> Iterator[Row]:
        label, style = ("failed", "red") if result.is_error else ("result", "")
        text = plain(note, "dim")
        if result.content is None:
            yield label, Text.assemble(text, Text("  no content", style="dim"))
            return
        yield label, Group(text, self._cut(result.content, RESULT_LINES, RESULT_CHARACTERS, style))

    def _looked(self, exchange: Exchange) -> Iterator[Row]:
        if line := receipts.summary(exchange):
            yield "receipt", plain(line, "red" if receipts.failed(exchange) else "dim")
        if self.whole and exchange.findings:
            yield "", receipts.table(exchange.findings)

    def _prompt(self, content: Content) -> RenderableType:
        if content.erased or self.whole:
            return self._cut(content, PROMPT_LINES, PROMPT_CHARACTERS)
        text = _REMINDER.sub(
            lambda match: f"[system reminder, {len(match[0]):,} characters]", content.text
        )
        return self._shortened(text, content.omitted, PROMPT_LINES, PROMPT_CHARACTERS)

    def _input(self, name: str, content: Content) -> RenderableType:
        if content.erased:
            return _erased()
        value = _parsed(content)
        if not isinstance(value, dict):
            return self._cut(content, INPUT_LINES, INPUT_CHARACTERS)
        shown: list[RenderableType] = []
        if name == "Bash" and isinstance(value.get("command"), str):
            value = dict(value)
            command, cut = self._lines(value.pop("command"), INPUT_LINES, INPUT_CHARACTERS)
            shown += [code(command, "bash"), *_more(cut)]
        if value:
            text = json.dumps(value, ensure_ascii=False)
            if len(text) > _LINE:
                text = json.dumps(value, ensure_ascii=False, indent=2)
            text, cut = self._lines(text, INPUT_LINES, INPUT_CHARACTERS)
            shown += [code(text, "json"), *_more(cut)]
        return Group(*shown) if shown else plain("{}")

    def _cut(
        self, content: Content, lines: int, characters: int, style: str = ""
    ) -> RenderableType:
        if content.erased:
            return _erased()
        return self._shortened(content.text, content.omitted, lines, characters, style)

    def _shortened(
        self, text: str, omitted: int, lines: int, characters: int, style: str = ""
    ) -> RenderableType:
        shown, cut = self._lines(text, lines, characters)
        return Group(plain(shown, style), *_more(cut + omitted))

    def _lines(self, text: str, lines: int, characters: int) -> tuple[str, int]:
        """The beginning of a text, and how many characters are left out."""
        text = text.rstrip(_NEWLINE)
        if self.whole:
            return text, 0
        shown = _NEWLINE.join(text[:characters].split(_NEWLINE, lines)[:lines])
        return shown, len(text) - len(shown)


def _ruled(exchange: Exchange) -> Iterator[Row]:
    """What the rules said beyond letting it pass."""
    if exchange.record == "metadata":
        yield "", plain(_unrecorded(exchange), "dim italic")
    for came in exchange.origins:
        yield "came", plain(came.words, "yellow")
    for seen in exchange.observed:
        reason = f": {seen.reason}" if seen.reason else ""
        yield "observed", plain(f"{seen.rule_id} would {seen.verdict}{reason}", "yellow")
    if exchange.refused:
        yield "refused", plain(f"by {exchange.rule_id}: {exchange.reason}", "red")


def _pushed(turn: Turn) -> list[tuple[str, str]]:
    """What a push did, and what a git server said; nothing of what is none."""
    if turn.exchange.protocol != "git":
        return []
    asked, said = turn.request_body, turn.response_body
    pushed = list(push_lines(asked.text)) if asked else []
    return [*pushed, *(said_lines(said.text) if said else ())]


def _ended(turn: Turn) -> Iterator[Row]:
    """What went wrong, and the bodies where they were asked for."""
    coverage = turn.exchange.coverage
    missed = coverage if coverage != "full" else None
    pushed = _pushed(turn)
    yield from ((label, plain(line)) for label, line in pushed)
    if turn.exchange.protocol == "git" and missed and missed.startswith("none"):
        missed = None
    if unread(turn.exchange):
        missed = None
        yield "", plain("passed through unread", "dim")
    for problem in (turn.problem or turn.exchange.error, missed):
        if problem:
            yield "error", plain(problem, "red")
    if turn.request_body and not pushed:
        yield "request", plain(turn.request_body.text)
    if turn.response_body and not pushed:
        yield "response", plain(turn.response_body.text)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=8, no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    return grid


def _heading(name: str, note: str, style: str = "dim") -> Text:
    return Text.assemble(plain(name, "bold magenta"), "  ", plain(note, style))


def _more(characters: int) -> list[Text]:
    if not characters:
        return []
    return [Text(f"… {characters:,} more characters; --full shows them", style="dim italic")]


def _erased() -> Text:
    return Text("erased from the record", style="dim italic")


def _parsed(content: Content) -> Any:
    try:
        return json.loads(content.text)
    except (ValueError, RecursionError):
        return None


def _tokens(figures: Totals) -> Text:
    cached = []
    if figures.cache_read_tokens:
        cached.append(f"{figures.cache_read_tokens:,} from the cache")
    if figures.cache_write_tokens:
        cached.append(f"{figures.cache_write_tokens:,} into it")
    aside = f" + {', '.join(cached)}" if cached else ""
    return Text(f"{figures.input_tokens:,} in{aside}, {figures.output_tokens:,} out")


def _before(turn: Turn) -> str:
    if turn.new_run:
        return f"\n… {span(max(0.0, turn.pause or 0.0))} later, a new run …\n"
    # How long a tool took stands beside its result.
    if turn.pause is not None and turn.pause >= 1 and not turn.exchange.results:
        return f"\n… {span(turn.pause)} later …\n"
    return ""


def _ending(turn: Turn) -> str:
    exchange = turn.exchange
    if turn.seconds is None:
        return "not ended yet"
    failed = exchange.error or turn.problem or (exchange.status or 0) >= _ERRORS
    how = "refused" if exchange.refused else "failed" if failed else "answered"
    if unread(exchange) or exchange.protocol in {POSTGRES, WEBSOCKET}:
        how = "refused" if exchange.refused else "open for" if not failed else "failed after"
        told = f"{how} {span(max(0.0, turn.seconds))} · {_bytes(exchange)}"
        # What is allowed of a connection to a database are its statements.
        return told if exchange.protocol == POSTGRES else f"{told} · {_allowed(exchange)}"
    parts = [f"{how} in {span(max(0.0, turn.seconds))}"]
    if exchange.status is not None and (exchange.model is None or exchange.status >= _ERRORS):
        parts.append(f"status {exchange.status}")
    if turn.outside:
        parts.append(_bytes(exchange))
    if exchange.input_tokens or exchange.output_tokens:
        cached = f" + {exchange.cache_read_tokens:,} cached" if exchange.cache_read_tokens else ""
        parts.append(f"{exchange.input_tokens:,}{cached} in, {exchange.output_tokens:,} out")
    if exchange.stop_reason:
        parts.append(exchange.stop_reason)
    if not exchange.refused:
        parts.append(_allowed(exchange))
    return " · ".join(parts)


def _bytes(exchange: Exchange) -> str:
    sent, back = map(format_size, (exchange.request_bytes, exchange.response_bytes))
    return f"{sent} sent, {back} back"


def _allowed(exchange: Exchange) -> str:
    passed = ", by global observe" if exchange.passed else ""
    return f"{exchange.verdict} by {exchange.rule_id}{passed}"


def _unrecorded(exchange: Exchange) -> str:
    if not exchange.policy_version:
        return "content not recorded (refused before the rules were asked)"
    return f"content not recorded (rule {exchange.rule_id})"

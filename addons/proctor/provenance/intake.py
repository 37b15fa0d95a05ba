"""What comes in, whatever door it takes: signs of prompt injection, and what is used later."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from proctor.arriving.bodies import MAX_BODY, Placed, Text, signs, strongest, texts
from proctor.arriving.patterns import is_warm, warm
from proctor.arriving.signs import PREFIX, TYPE
from proctor.model import Action, ActionKind, Finding, Principal, Session
from proctor.provenance.memory import Origin, Provenance, Source, with_taint
from proctor.redaction.model import Direction
from proctor.runs import Runs

TELLING: Final = 0.3
"""Score from which on what a text shows is a finding."""

DISTRUSTED: Final = 0.5
"""Score from which on nothing in a text is trusted, whoever it came from."""

LISTS: Final = frozenset(
    {"tools/list", "prompts/list", "resources/list", "server/discover", "initialize"}
)
"""Answers over MCP that pins are about."""

PASSED: Final = frozenset({"", "detect", "pass"})
"""What was done with findings that reached the client."""

_INLINE: Final = 48 * 1024
"""Bytes that are looked at in the event loop."""


class Intake:
    """Of one process.

    Args:
        runs: What is known of runs.
        provenance: Which values came from where.
        clock: The time, UTC.
    """

    def __init__(self, runs: Runs, provenance: Provenance, clock: Callable[[], datetime]) -> None:
        self._runs = runs
        self._clock = clock
        self.provenance = provenance

    def now(self) -> datetime:
        """The time, UTC."""
        return self._clock()

    async def read(  # noqa: PLR0913 - what is said of what came
        self,
        body: bytes,
        content_type: str,
        *,
        name: str,
        flow_id: str,
        principal: Principal,
        session: Session | None,
        trusted: bool,
        exposed: Sequence[str] = (),
    ) -> tuple[Finding, ...]:
        """Read what came, and remember it.

        Args:
            body: It; beyond MAX_BODY it is not looked at.
            content_type: Of it.
            name: What gave it, for people.
            flow_id: The exchange it came in.
            principal: Whose agent gets it.
            session: In which run.
            trusted: Somebody vouches for it.
            exposed: Entity types of what in it reaches the agent.

        Returns:
            Its signs of prompt injection.

        Raises:
            InternalError: `met-unavailable`; then it may not reach the agent.
        """
        body = body[:MAX_BODY]
        found = texts(body, content_type)
        placed = await looked(found, len(body))
        score, named = strongest(placed)
        if exposed or score >= TELLING:
            self._runs.meet(principal, exposed, score)
        if score >= DISTRUSTED or not trusted:
            source = self.source(name, flow_id, session, placed)
            self.provenance.all_came(principal.key, (each.text for each in found), source)
        return tuple(findings(score, named, Direction.RESPONSE, "body"))

    def origins(self, principal: Principal, action: Action) -> tuple[Origin, ...]:
        """Which of an action's arguments came from an answer that nobody vouches for."""
        return self.provenance.origins(principal.key, arguments_of(action))

    def marked(self, principal: Principal, action: Action) -> tuple[Action, tuple[Origin, ...]]:
        """The action with what rules and the record are told of that, and the same for its card."""
        return with_taint(action, self.origins(principal, action))

    def source(
        self, name: str, flow_id: str, session: Session | None, placed: Sequence[Placed]
    ) -> Source:
        """What is remembered of where values came from."""
        score, named = strongest(placed)
        ordered = sorted((sign for _, sign in named), key=lambda sign: -sign.score)
        return Source(
            name=name,
            flow_id=flow_id,
            session=session.id if session else "",
            at=self._clock(),
            score=score,
            signs=tuple(sign.name for sign in ordered),
        )


def arguments_of(action: Action) -> Mapping[str, Any]:
    """What of an action may hold a value from elsewhere, by place."""
    found: dict[str, Any] = {}
    if action.tool and action.kind is ActionKind.LLM_TOOL_USE:
        found["input"] = action.tool.input
    if action.mcp:
        found["arguments"] = action.mcp.arguments
        if action.mcp.uri:
            found["uri"] = action.mcp.uri
    elif action.http and action.kind is not ActionKind.LLM_TOOL_USE:
        said = action.http
        found["host"] = said.host
        found["url"] = f"{said.scheme}://{said.host}{said.path}"
        found["query"] = dict(said.query)
        if said.json is not None:
            found["body"] = said.json
    if action.git:
        git = action.git
        found |= {"refs": git.refs, "paths": git.paths, "authors": git.authors}
    if action.sql:
        found["sql"] = _plain(action.content[1:2])
        found["parameters"] = list(parameters_of(action.content[2:]))
    if action.ws:
        found["message"] = action.ws.json
        if action.ws.json is None and action.ws.type == "text":
            found["message"] = _plain(action.content[1:])
    return found


def parameters_of(parts: Iterable[bytes | memoryview]) -> Iterable[str]:
    """Parameters of SQL as texts.

    Args:
        parts: Of an action's content: each behind its format and size, but for null, `-`.
    """
    rest = iter(parts)
    for head in rest:
        yield "" if head == b"-" else _plain([next(rest, b"")])


def _plain(parts: Iterable[bytes | memoryview]) -> str:
    return b"".join(map(bytes, parts))[:MAX_BODY].decode("utf-8", "replace")


async def looked(found: Sequence[Text], size: int, *, result: bool = False) -> tuple[Placed, ...]:
    """Look at texts, beside the event loop where they are long.

    Args:
        found: Texts.
        size: Of all of them.
        result: They are what a client says a tool gave back.
    """
    if size <= _INLINE and is_warm():
        return signs(found, result=result)
    loop = asyncio.get_running_loop()

    def work() -> tuple[Placed, ...]:
        warm()
        return signs(found, result=result)

    return await loop.run_in_executor(None, work)


def findings(
    score: float, named: Sequence[tuple[str, Any]], direction: Direction, place: str
) -> Iterable[Finding]:
    """One for each sign; the strongest has the score of all together."""
    if score < TELLING:
        return
    for number, (where, sign) in enumerate(sorted(named, key=lambda each: -each[1].score)):
        yield Finding(
            type=TYPE,
            location=place if direction is Direction.REQUEST else where,
            direction=direction.value,
            score=score if number == 0 else min(sign.score, score),
            detector=PREFIX + sign.name,
            action="detect",
        )

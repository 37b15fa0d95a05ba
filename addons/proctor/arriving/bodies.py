"""An answer's body as texts that can be looked at, each with its place."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from proctor.arriving.looking import Look, look
from proctor.arriving.signs import Sign

MAX_BODY: Final = 512 * 1024
"""Bytes of one answer that are kept for looking."""

_TEXT: Final = re.compile(
    r"text/.*|application/(?:.*\+)?(?:json|xml|javascript|x?html|x-ndjson|ld\+json|yaml|markdown)"
    r"|application/(?:x-)?(?:yaml|markdown|rtf|sql|graphql|toml)|image/svg\+xml"
)
_BLIND: Final = frozenset({"text/css", "text/javascript", "application/javascript"})
_MAX_LEAVES: Final = 20_000
_SHORT: Final = 12
"""Characters in which nobody orders anything."""

_ALONE: Final = 40
_LONG: Final = 2000
_MANY: Final = 200  # leaves that are looked at one by one to tell the place


class Text(NamedTuple):
    """A text, and where it stands: `body`, or `body.items[2].note`."""

    place: str
    text: str


class Placed(NamedTuple):
    """A text that has signs."""

    place: str
    look: Look


def readable(content_type: str) -> bool:
    """Whether a body of this type is text that a model may come to read."""
    kind = content_type.partition(";")[0].strip().lower()
    return (not kind or bool(_TEXT.fullmatch(kind))) and kind not in _BLIND


def texts(body: bytes, content_type: str) -> tuple[Text, ...]:
    """Take a body apart, as far as it is known how; anything else is one text.

    Args:
        body: Decoded; the beginning of it.
        content_type: Of the answer.
    """
    kind = content_type.partition(";")[0].strip().lower()
    plain = body.decode("utf-8", "replace")
    if kind == "text/event-stream":
        return tuple(_events(plain))
    if "json" in kind or plain[:1] in "[{":
        found = _json(plain, "body")
        if found is not None:
            return found
    return (Text("body", plain),) if plain.strip() else ()


def signs(found: Sequence[Text], *, result: bool = False) -> tuple[Placed, ...]:
    """Look at texts; short ones together, so that many cost little.

    Args:
        found: Texts.
        result: They are what a client says a tool gave back.
    """
    out: list[Placed] = []
    together: list[Text] = []
    for each in found:
        if len(each.text) < _SHORT:
            continue
        if (
            len(found) == 1
            or len(each.text) > _LONG
            or (len(each.text) > _ALONE and "<" in each.text)
        ):
            seen = look(each.text, result=result)
            if seen.signs:
                out.append(Placed(each.place, seen))
        else:
            together.append(each)
    if together:
        seen = look("\n\n".join(each.text for each in together), result=result)
        if seen.signs:
            out += _apart(together, seen, result=result)
    return tuple(out)


def _apart(found: Sequence[Text], whole: Look, *, result: bool) -> Iterator[Placed]:
    """By themselves, where that tells as much as all together."""
    alone = [
        Placed(each.place, seen)
        for each in found[:_MANY]
        if (seen := look(each.text, result=result)).signs
    ]
    if max((each.look.score for each in alone), default=0.0) < whole.score:
        yield Placed(re.split(r"[.\[]", found[0].place)[0], whole)
    else:
        yield from alone


def strongest(found: Sequence[Placed]) -> tuple[float, tuple[tuple[str, Sign], ...]]:
    """The best score, and each sign once, where it is strongest."""
    named: dict[str, tuple[str, Sign]] = {}
    for placed in found:
        for sign in placed.look.signs:
            if sign.name not in named or named[sign.name][1].score < sign.score:
                named[sign.name] = (placed.place, sign)
    best = max((placed.look.score for placed in found), default=0.0)
    return best, tuple(named.values())


def _events(plain: str) -> Iterator[Text]:
    """Server-sent events: what each says; JSON is taken apart."""
    parts = [line[5:].lstrip(" ") for line in plain.splitlines() if line.startswith("data:")]
    for number, part in enumerate(parts[:_MAX_LEAVES]):
        yield from _json(part, f"event[{number}]") or (Text(f"event[{number}]", part),)


def _json(plain: str, place: str) -> tuple[Text, ...] | None:
    """Strings of a JSON text; None where it is none, or was cut off."""
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return None
    return tuple(strings(value, place))


def strings(value: Any, place: str) -> Iterator[Text]:
    """Every string in a JSON value, with its place; text that is JSON again is one string."""
    pending: list[tuple[str, Any]] = [(place, value)]
    count = 0
    while pending and count < _MAX_LEAVES:
        where, found = pending.pop()
        if isinstance(found, str):
            count += 1
            yield Text(where, found)
        elif isinstance(found, dict):
            pending += reversed([(f"{where}.{key}"[:200], each) for key, each in found.items()])
        elif isinstance(found, list):
            pending += reversed([(f"{where}[{n}]", each) for n, each in enumerate(found)])

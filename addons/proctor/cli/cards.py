"""How a held action looks in a terminal: nothing in it may hide, move or pretend to be else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proctor.cli.screen import plain, several, span
from proctor.console.legible import ALIKE, HIDDEN, NOTE, ODD, Piece, line, pieces

COLUMNS = (
    "id", "state", "origin", "kind", "subject", "human", "session", "title", "summary", "rules",
    "requested_at", "expires_at", "seconds_left", "waiting", "break_glass", "by", "reason",
)  # fmt: skip
"""Of a list of approvals, in JSON and CSV."""

type Found = Mapping[str, Any]

_PIECES = {
    "": "",
    ODD: "black on yellow",
    ALIKE: "bold yellow underline",
    HIDDEN: "bold magenta",
    NOTE: "dim",
}
_STATES = {
    "pending": "bold yellow",
    "approved": "green",
    "used": "green",
    "denied": "bold red",
    "expired": "dim",
    "cancelled": "dim",
}
_SOON = 60
_SUMMARY = 120
_SHORT = 11  # `ap_` and eight letters
_NARROW = 100


def row(found: Found) -> dict[str, object]:
    """One approval as a row of a list."""
    card = found.get("card") or {}
    more = {"title": card.get("title"), "summary": card.get("summary"), "rules": _rules(found)}
    return {name: more.get(name, found.get(name)) for name in COLUMNS}


def table(items: Sequence[Found], now: datetime, width: int) -> Table:
    """Approvals to look over, in the order given."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    wide = width >= _NARROW
    heads = ["id", "state", "left", "who", "rule", "what"]
    for head in heads if wide else [head for head in heads if head != "rule"]:
        made.add_column(
            head,
            justify="right" if head == "left" else "left",
            no_wrap=head in {"id", "state", "left"},
            overflow="fold",
            ratio=1 if head == "what" else None,
        )
    short = shortened([str(item.get("id") or "") for item in items])
    for item in items:
        card = item.get("card") or {}
        state = str(item.get("state") or "")
        cells = [
            plain(short[str(item.get("id") or "")], "cyan"),
            plain(_state(item), _STATES.get(state, "")),
            left(item, now),
            plain(_who(item)),
            plain(", ".join(_rules(item)), "dim"),
            Text(" ").join(
                [
                    legible(line(str(card.get("title") or ""), _SUMMARY), "bold"),
                    legible(line(str(card.get("summary") or ""), _SUMMARY)),
                ]
            ),
        ]
        made.add_row(*(cells if wide else [*cells[:4], cells[5]]))
    return made


def card(found: Found, now: datetime) -> RenderableType:
    """All that there is to see of one approval."""
    inside = found.get("card") or {}
    hidden = {
        str(each.get("shown")): f"{each.get('type')}, not seen" for each in inside.get("hidden", ())
    }
    head = Text.assemble(
        plain(str(found.get("id") or ""), "bold cyan"),
        "  ",
        plain(_state(found), _STATES.get(str(found.get("state")), "bold")),
        "  ",
        left(found, now),
    )
    shown: list[RenderableType] = [head, Text(), _facts(found)]
    odd: list[str] = []
    for part in inside.get("parts") or [{"name": "what", "text": inside.get("summary")}]:
        text = _pretty(part)
        run = pieces(text, hidden)
        odd += [piece.title for piece in run if piece.kind in {ODD, ALIKE}]
        name = pieces(str(part.get("name") or ""))
        shown += [Text(), legible(name, "bold"), _indented(legible(run))]
        if cut := part.get("cut"):
            note = Text(f"… {cut:,} more characters are not shown", style="bold yellow")
            shown.append(_indented(note))
    if odd:
        named = list(dict.fromkeys(odd))
        shown += [Text(), Text("Look closely:", style="bold yellow")]
        shown += [_indented(plain(each, "yellow")) for each in named[:20]]
    shown += list(_unseen(inside.get("hidden") or ()))
    shown += list(_votes(found))
    return Group(*shown)


def revealed(values: Mapping[str, object]) -> RenderableType:
    """What a card hides, by what stands in its place."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", overflow="fold")
    grid.add_column(overflow="fold")
    for shown, value in values.items():
        grid.add_row(legible(pieces(shown)), legible(pieces(str(value))))
    return grid


def left(found: Found, now: datetime) -> Text:
    """How long it can still be decided, as of now."""
    if found.get("state") not in {"pending", "approved"}:
        return Text()
    try:
        end = datetime.fromisoformat(str(found.get("expires_at")))
    except ValueError:
        return Text()
    seconds = max(0.0, (end - now).total_seconds())
    return Text(span(int(seconds)), style="bold red" if seconds < _SOON else "")


def change(found: Found) -> str:
    """One change, in a line."""
    at = str(found.get("at") or "")[11:19]
    words = [at, found.get("subject"), found.get("id"), found.get("state")]
    said = " ".join(str(word) for word in words if word)
    by = f" by {', '.join(map(str, found['by']))}" if found.get("by") else ""
    return said + by + (f": {found['reason']}" if found.get("reason") else "")


def legible(run: Sequence[Piece], style: str = "") -> Text:
    """Pieces in their colours."""
    return Text.assemble(*(plain(piece.text, _PIECES[piece.kind] or style) for piece in run))


def shortened(names: Sequence[str]) -> dict[str, str]:
    """The beginning of each that no other one has, at least eight letters."""
    size = _SHORT
    while len({name[:size] for name in names}) < len(set(names)):
        size += 1
    return {name: name[:size] for name in names}


def _facts(found: Found) -> Table:
    inside = found.get("card") or {}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    who = f"{_who(found)}  {found.get('principal') or ''}"
    if groups := found.get("groups"):
        who += f"  in {', '.join(map(str, groups))}"
    findings = [f"{one.get('type')} at {one.get('place')}" for one in inside.get("findings") or ()]
    rows: list[tuple[str, object]] = [
        ("what", f"{inside.get('title') or ''}  ({found.get('kind')})"),
        ("who", who),
        ("session", found.get("session")),
        ("asked", inside.get("prompt")),
        ("target", found.get("target")),
        ("their words", found.get("requester_reason")),
        ("for", found.get("for")),
        ("at most", f"{uses} uses" if (uses := found.get("uses")) else ""),
        ("found in it", ", ".join(findings)),
        ("requested", _when(found.get("requested_at"))),
    ]
    for name, value in rows:
        if value:
            grid.add_row(name, legible(pieces(str(value))))
    for term in found.get("terms") or ():
        grid.add_row("rule", legible(pieces(_terms(term))))
    return grid


def _terms(term: Found) -> str:
    words = f"{term.get('rule_id')}: {term.get('rule_reason') or 'no reason given'}"
    groups = " or ".join(map(str, term.get("from") or ()))
    count = int(term.get("count") or 1)
    needs = [f"{count} {'person' if count == 1 else 'people'} of {groups}"]
    if term.get("reason_required"):
        needs.append("with a reason")
    if term.get("grant"):
        needs.append(f"grants up to {term['grant']}")
    return f"{words}\nneeds {', '.join(needs)}"


def _unseen(hidden: Sequence[Found]) -> Iterator[RenderableType]:
    if hidden:
        yield Text()
        yield Text("What you do not see, though it will be used:", style="bold magenta")
    for each in hidden:
        told = f"{each.get('type')}, {several(int(each.get('length') or 0), 'character')}"
        where = f" at {each.get('place')}, shown as {each.get('shown')}"
        yield _indented(legible(pieces(told + where), "magenta"))


def _votes(found: Found) -> Iterator[RenderableType]:
    votes = found.get("votes") or ()
    if votes:
        yield Text()
        yield Text("Decisions:", style="bold")
    for vote in votes:
        word = "approved" if vote.get("approve") else "denied"
        glass = ", breaking the glass" if vote.get("break_glass") else ""
        why = f": {vote['reason']}" if vote.get("reason") else ""
        said = f"{vote.get('name') or vote.get('by')} {word}{glass}{why}"
        yield _indented(
            Text.assemble(plain(_when(vote.get("at")), "dim"), "  ", legible(pieces(said)))
        )
    if not votes and found.get("reason"):
        yield Text()
        yield legible(pieces(f"{found.get('state')}: {found['reason']}"))
    if found.get("break_glass"):
        by = found.get("reviewed_by")
        told = f"looked at by {by}" if by else "the glass was broken, and nobody has looked at it"
        yield _indented(plain(told, "bold red" if not by else ""))


def _pretty(part: Found) -> str:
    text = str(part.get("text") or "")
    if part.get("kind") == "json" and not part.get("cut"):
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return text
    return text


def _state(found: Found) -> str:
    state = str(found.get("state") or "")
    if state == "pending" and found.get("waiting") is False:
        return "pending, nobody waits"
    return f"{state}, glass broken" if found.get("break_glass") else state


def _who(found: Found) -> str:
    subject, human = str(found.get("subject") or ""), found.get("human")
    return f"{subject} (for {human})" if human and human != subject else subject


def _rules(found: Found) -> list[str]:
    return [str(term["rule_id"]) for term in found.get("terms") or () if term.get("rule_id")]


def _when(value: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return ""


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))

"""What a notification says: made once of a Change, the same for every way of sending it.

It is redacted, bounded, and made visible: nothing in it moves a cursor or turns the direction of
writing. A value that was taken out is not in it, nor is anything that lets somebody decide.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from proctor.approval.model import Approval, Change, Grant, Kill, KillScope, Origin, Part
from proctor.approval.views import approval_json, grant_json, kill_json
from proctor.scrub import scrub

LONGEST = 300
"""Characters of a summary, and of any other text."""

KEEP = timedelta(days=1)
"""How long it is tried to send a message, at most."""

type Item = Approval | Grant | Kill

_TOPICS = {
    ("approval", "pending"): "pending",
    ("approval", "approved"): "settled",
    ("approval", "denied"): "settled",
    ("approval", "expired"): "settled",
    ("approval", "cancelled"): "settled",
    ("approval", "reviewed"): "break_glass",
    ("grant", "granted"): "grant",
    ("grant", "revoked"): "grant",
    ("kill", "killed"): "kill",
    ("kill", "lifted"): "kill",
}
_HEADS = {
    "approval.pending": "Held",
    "approval.approved": "Approved",
    "approval.denied": "Denied",
    "approval.expired": "Expired",
    "approval.cancelled": "Cancelled",
    "approval.break_glass": "Glass broken",
    "approval.reviewed": "Broken glass reviewed",
    "grant.granted": "Grant given",
    "grant.revoked": "Grant revoked",
    "kill.killed": "Killed",
    "kill.lifted": "Kill lifted",
}
_ASKED = {
    Origin.HOLD: "Held",
    Origin.APPEAL: "Appealed",
    Origin.GRANT: "Access asked for",
}
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Control, format (which turn the direction of writing, or have no width), private, surrogate,
# unassigned, and the separators of lines and paragraphs (Unicode 16, table 4-4).
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_NO_MATTER = frozenset({"description", "timeout"})  # of Claude Code's Bash
_MOST_ITEMS = 20
_DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to tell.

    Attributes:
        id: The same for every attempt, so that a receiver can tell a repetition.
        type: Such as `approval.pending`; the keys of the table in this file, and `canary.seen`.
        about: The approval's, grant's, kill's or canary's id.
        at: When it happened.
        ends: From then on nobody needs to know.
        head: One line.
        summary: What would be done, one line; "" where nothing would be.
        whole: The summary is all that there is to see; otherwise only the card shows it.
        facts: Names and values, for a person.
        link: To the card.
        words: A decision needs a reason.
        data: For machines.
    """

    id: str
    type: str
    about: str
    at: datetime
    ends: datetime
    head: str = field(repr=False)
    summary: str = field(default="", repr=False)
    whole: bool = False
    facts: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    link: str
    words: bool = False
    data: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def pack(self) -> str:
        """As text, to be kept."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(kept | {"at": self.at.isoformat(), "ends": self.ends.isoformat()})

    @classmethod
    def unpack(cls, text: str) -> "Message":
        """What `pack` made."""
        kept = json.loads(text)
        for name in ("at", "ends"):
            kept[name] = datetime.fromisoformat(kept[name])
        kept["facts"] = tuple((name, value) for name, value in kept["facts"])
        return cls(**kept)


def plain(text: str, longest: int = LONGEST) -> str:
    r"""`text` on one line, bounded, with what cannot be seen written out, as `\u{202e}`."""
    # A bound before the work as well: a secret across the second one is still whole.
    shown = "".join(_seen(char) for char in scrub(text[: 4 * longest]))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def topics(change: Change) -> frozenset[str]:
    """What it is, in the words of a notifier's `on`; empty for what nobody is told."""
    found = {_TOPICS.get((change.subject, change.state), ""), *_broken(change)}
    return frozenset(found - {""})


def make(change: Change, item: Item, address: str) -> Message:
    """The message of a change that has `topics`.

    Args:
        change: What happened.
        item: What it happened to.
        address: Where people reach the console, such as `https://proctor.internal`.
    """
    kind = f"{change.subject}.{change.state}"
    if _broken(change):
        kind = "approval.break_glass"
    place = address.rstrip("/")
    ends = change.at + KEEP
    said = [("By", _people(change.by)), ("In their words", plain(change.reason))]
    said = [(name, value) for name, value in said if value]
    if isinstance(item, Approval):
        card = item.asking.card
        head = _ASKED[item.asking.origin] if kind == "approval.pending" else _HEADS[kind]
        return Message(
            id=f"{change.id}.{change.seq}",
            type=kind,
            about=change.id,
            at=change.at,
            ends=min(ends, item.expires_at) if kind == "approval.pending" else ends,
            head=f"{head}: {plain(card.title, 100)}",
            summary=plain(card.summary),
            whole=_whole(item),
            facts=(*_facts(item), *(() if kind == "approval.pending" else said)),
            link=f"{place}/approvals/{change.id}",
            words=any(terms.reason_required for terms in item.asking.demands),
            data=_data(item, change),
        )
    if isinstance(item, Grant):
        what, page, data = plain(item.pattern, 100), "grants", grant_json(item, change.at)
        facts = [
            ("Rule", plain(item.rule_id)),
            ("For", _people(item.principal)),
            ("Until", _time(item.expires_at)),
        ]
    else:
        target = "" if item.scope is KillScope.ALL else f" {plain(item.target, 100)}"
        what, page, data = f"{item.scope}{target}", "kills", kill_json(item)
        facts = []
    return Message(
        id=f"{change.id}.{change.seq}",
        type=kind,
        about=change.id,
        at=change.at,
        ends=ends,
        head=f"{_HEADS[kind]}: {what}",
        facts=(*facts, *said),
        link=f"{place}/{page}",
        data=_bounded(data),
    )


def groups(approval: Approval) -> frozenset[str]:
    """Whose members may decide any part of it."""
    return frozenset(group for terms in approval.asking.demands for group in terms.from_groups)


def _data(approval: Approval, change: Change) -> dict[str, Any]:
    found = approval_json(approval, change.at)
    if approval.asking.card.hidden:
        # These may be made of the action as it is, not as it is shown.
        found = {name: item for name, item in found.items() if name not in {"pattern", "shape"}}
    bounded: dict[str, Any] = _bounded(found)
    return bounded


def _broken(change: Change) -> tuple[str, ...]:
    broken = (change.subject, change.state) == ("approval", "approved")
    return ("break_glass",) if broken and change.detail.get("break_glass") else ()


def _facts(approval: Approval) -> list[tuple[str, str]]:
    asking = approval.asking
    rules = ", ".join(terms.rule_id for terms in asking.demands)
    reasons = " ".join(terms.rule_reason for terms in asking.demands if terms.rule_reason)
    hidden = ", ".join(f"{span.type}, {span.length} characters" for span in asking.card.hidden)
    found = [
        ("Approval", approval.id),
        ("Rule", plain(rules)),
        ("Why", plain(reasons)),
        ("Asked by", plain(asking.subject)),
        ("Behind it", plain(asking.human or "")),
        ("What", asking.kind.value),
        ("Session", plain(asking.session or "")),
        ("Not shown", plain(hidden)),
        ("Until", _time(approval.expires_at)),
        ("They say", plain(asking.reason)),
        ("Access to", plain(asking.pattern) if asking.for_ else ""),
        ("For", str(asking.for_ or "")),
    ]
    return [(name, value) for name, value in found if value]


def _whole(approval: Approval) -> bool:
    """Whether whoever reads the summary has seen all that would be done: one short command."""
    card = approval.asking.card
    if approval.asking.origin is Origin.GRANT or card.hidden or not card.parts:
        return False
    command, *others = card.parts
    # A summary is on one line, so a command of several is not whole; no escape is longer than ten.
    shown = plain(command.text) == plain(command.text, 10 * len(command.text) + 1)
    shown = shown and command.kind == "command" and command.text.strip() == card.summary.strip()
    shown = shown and scrub(command.text) == command.text and not command.cut
    return shown and all(_changes_nothing(part) for part in others)


def _changes_nothing(part: Part) -> bool:
    """Whether what else a call says makes no difference to what it does."""
    try:
        found = json.loads(part.text)
    except (ValueError, RecursionError):
        return False
    return part.kind == "json" and isinstance(found, dict) and found.keys() <= _NO_MATTER


def _people(keys: str) -> str:
    """`iss#sub` of one or several, as `sub`."""
    return plain(", ".join(key.partition("#")[2] or key for key in keys.split()))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _seen(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    if unicodedata.category(char) in _UNSEEN:
        return _ESCAPES.get(char) or f"\\u{{{ord(char):x}}}"
    return char


def _bounded(value: Any, depth: int = 0) -> Any:
    """What a machine gets: without the parts of a card, and no text longer than a person's."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {
            str(name): _bounded(item, depth + 1)
            for name, item in value.items()
            if name not in {"parts", "prompt"} and depth < _DEEPEST
        }
    if isinstance(value, list | tuple):
        return [_bounded(item, depth + 1) for item in value[:_MOST_ITEMS] if depth < _DEEPEST]
    return value

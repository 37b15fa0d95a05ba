"""Held flows are marked for people at mitmproxy's user interfaces, with the rule in the comment."""

from collections.abc import MutableMapping
from typing import Final
from weakref import WeakKeyDictionary

from mitmproxy import ctx, flow, hooks

from proctor.approval.model import Approval, State, Vote

HELD: Final = ":raised_hand:"
LEFT: Final = ":hourglass:"
PASSED: Final = ":white_check_mark:"
REFUSED: Final = ":no_entry:"

type _Notes = dict[str, tuple[str, str]]

# Id → mark and line. Outside the flow, whose comment is anybody's to write and whose copies and
# dumps would otherwise name an approval that they do not wait for.
_notes: MutableMapping[flow.Flow, _Notes] = WeakKeyDictionary()
_MARKS = {State.PENDING: LEFT, State.APPROVED: PASSED, State.USED: PASSED}
_LONGEST = 300


def held(held: flow.Flow, approval: Approval) -> None:
    """Mark a flow that waits for a human. Several approvals may be asked for in one flow.

    Args:
        held: Its mark is replaced, its comment added to.
        approval: What it waits for.
    """
    asking = approval.asking
    rules = ", ".join(dict.fromkeys(terms.rule_id for terms in asking.demands))
    reasons = " ".join(dict.fromkeys(terms.rule_reason for terms in asking.demands))
    what = f"{asking.card.title}: {asking.card.summary}"
    line = f"held by rule {rules} ({approval.id}): {reasons}".rstrip(": ")
    _note(held, approval.id, HELD, f"{_cut(line)} | {_cut(what)}")


def settled(held: flow.Flow, approval: Approval) -> None:
    """Say in a flow that was marked as held how that ended.

    Args:
        held: As for `held`; one that never was is marked now.
        approval: As it is now; a pending one means that the client waits no longer.
    """
    who = ", ".join(vote.name or vote.reviewer for vote in _deciding(approval))
    words = {
        State.PENDING: "waits no longer, and may still be decided",
        State.USED: "approved",
    }.get(approval.state, approval.state.value)
    line = f"{words} by {who}" if who else words
    line += ", breaking the glass" if approval.break_glass else ""
    line += f" ({approval.id})"
    line += f": {approval.reason}" if approval.reason else ""
    _note(held, approval.id, _MARKS.get(approval.state, REFUSED), _cut(line))


def waiting(marked: flow.Flow) -> list[str]:
    """Ids of the approvals that a flow waits for, in the order in which they were asked for."""
    return [name for name, (mark, _) in _notes.get(marked, {}).items() if mark == HELD]


def show(marked: flow.Flow) -> None:
    """Have the user interfaces show a flow as it is now; needs mitmproxy's context."""
    ctx.master.addons.trigger(hooks.UpdateHook([marked]))


def _deciding(approval: Approval) -> list[Vote]:
    if approval.state in {State.APPROVED, State.USED, State.DENIED}:
        approve = approval.state is not State.DENIED
        return [vote for vote in approval.votes if vote.approve == approve]
    return []


def _note(marked: flow.Flow, name: str, mark: str, line: str) -> None:
    notes = _notes.setdefault(marked, {})
    before = _told(notes)
    # What a person wrote there stays.
    own = marked.comment.replace(before, "") if before else marked.comment
    notes[name] = (mark, line)
    marked.comment = "\n".join(filter(None, [*own.splitlines(), _told(notes)]))
    marks = [mark for mark, _ in notes.values()]
    marked.marked = HELD if HELD in marks else mark


def _told(notes: _Notes) -> str:
    return "\n".join(line for _, line in notes.values())


def _cut(text: str) -> str:
    r"""One line, with what a terminal would obey written out, as `\x1b`."""
    seen = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in seen
    )

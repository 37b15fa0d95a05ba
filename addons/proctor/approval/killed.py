"""What is said of whatever a kill ends or keeps out."""

from proctor.approval.model import Kill, KillScope
from proctor.errors import RefusedError


def ended(kill: Kill) -> RefusedError:
    """The error for who asks, in the words of whoever killed it."""
    what = {
        KillScope.SESSION: "This session was",
        KillScope.PRINCIPAL: "You were",
        KillScope.ALL: "Everything was",
    }[kill.scope]
    return RefusedError(
        "killed",
        f"{what} stopped by an administrator: {kill.reason}",
        hint="Nothing passes until that is lifted.",
        rule_id=f"kill {kill.id}",
    )

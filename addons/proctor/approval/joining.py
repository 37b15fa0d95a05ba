"""Which earlier answer an action meets that is asked for again."""

from datetime import datetime

from proctor.approval import lifecycle
from proctor.approval.model import Approval, Asking, State


def joins(asking: Asking, there: Approval, now: datetime) -> bool:
    """Whether what is there already is the answer to this asking.

    The store has found it by principal and digest. It has to have been asked for under the same
    rules, for the same reason, in the same run of the agent and through the same listener (another
    one may put in another credential), and then

    - pending: the client waits for it again;
    - approved and not used: the retry after nobody could wait any longer;
    - denied or expired: only for the same question, as a client puts it again by itself, and not
      for ever: as long after its end as it might have taken before.

    What was cancelled or used is never joined.
    """
    old = there.asking
    same = (
        old.origin is asking.origin
        and old.policy_version == asking.policy_version
        and old.session == asking.session
        and old.listener == asking.listener
        and old.demands == asking.demands
        and old.for_ == asking.for_
    )
    if not same:
        return False
    # One whose end has come is as good as expired, even where nobody has noticed yet.
    state = State.EXPIRED if lifecycle.due(there, now) else there.state
    match state:
        case State.PENDING | State.APPROVED:
            return True
        case State.DENIED | State.EXPIRED:
            asked_again = asking.prompt != "" and asking.prompt == old.prompt
            return asked_again and now < there.expires_at + old.ttl
        case State.CANCELLED | State.USED:
            return False

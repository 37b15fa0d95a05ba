"""A judge for tests: what it decides at once, and what humans will say later."""

from collections.abc import Mapping

from proctor.protocols.anthropic.calls import Call, Outcome


class Decider:
    """Lets nothing be turned back but mail.

    Args:
        now: Outcomes by number that are known at once; the others wait.
    """

    def __init__(self, now: Mapping[int, Outcome] | None = None) -> None:
        self.now = dict(now or {})
        self.calls: list[Call] = []

    def restored(self, name: str, arguments: str) -> frozenset[str]:
        return frozenset({"EMAIL_ADDRESS"})

    def judge(self, call: Call) -> Outcome | None:
        self.calls.append(call)
        return self.now.get(call.number)

"""The grants and kills in force, in memory: asked about every action, so no store is read."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from proctor.approval.model import Grant, Kill, KillScope, identities
from proctor.model import ActionKind, ApprovalTerms

type _Of = tuple[str, str, ActionKind]


class Standing:
    """What is in force, as the store had it last."""

    def __init__(self) -> None:
        self._grants: dict[_Of, list[Grant]] = {}
        self._kills: dict[str, Kill] = {}
        self._all: Kill | None = None
        self._principals: dict[str, Kill] = {}
        self._sessions: dict[str, Kill] = {}

    def set_grants(self, grants: Iterable[Grant]) -> None:
        """Take these in place of the ones before."""
        found: dict[_Of, list[Grant]] = {}
        for grant in grants:
            found.setdefault((grant.principal, grant.rule_id, grant.kind), []).append(grant)
        self._grants = found

    def set_kills(self, kills: Iterable[Kill]) -> list[Kill]:
        """Take these in place of the ones before; returns those that were not in force yet."""
        known = self._kills
        self._kills = {kill.id: kill for kill in kills if kill.lifted_at is None}
        self._all, self._principals, self._sessions = None, {}, {}
        for kill in self._kills.values():
            match kill.scope:
                case KillScope.ALL:
                    self._all = kill
                case KillScope.PRINCIPAL:
                    self._principals.update(dict.fromkeys(identities(kill.target), kill))
                case KillScope.SESSION:
                    self._sessions[kill.target] = kill
        return [kill for name, kill in self._kills.items() if name not in known]

    def grants_for(
        self,
        principal: str,
        kind: ActionKind,
        terms: Sequence[ApprovalTerms],
        matches: Callable[[Grant], bool],
        now: datetime,
    ) -> tuple[Grant, ...] | None:
        """One open grant for each of the terms, or None unless all are covered."""
        if not self._grants or not terms:
            return None
        found: list[Grant] = []
        for term in terms:
            longest = term.grant  # the rule may allow less than it did when the grant was given
            grant = longest and next(
                (
                    grant
                    for grant in self._grants.get((principal, term.rule_id, kind), ())
                    if grant.open(now) and now < grant.created_at + longest and matches(grant)
                ),
                None,
            )
            if not grant:
                return None
            found.append(grant)
        return tuple(found)

    def killed(
        self, principal: str, subject: str, human: str | None, session: str | None
    ) -> Kill | None:
        """The kill in force for this caller, the widest first."""
        if not self._kills:
            return None
        if self._all:
            return self._all
        for name in identities(principal, subject, human) if self._principals else ():
            if kill := self._principals.get(name):
                return kill
        return self._sessions.get(session) if session else None

"""One rule, as the engine asks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proctor.model import ActionKind, ApprovalTerms, RecordMode
from proctor.policy.expression import Expression
from proctor.policy.match import Pattern
from proctor.redaction.model import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        id: Its name, unique over all files; it stands in records and refusals.
        where: `file:line`.
        on: The kinds of action it speaks about.
        then: `allow`, `hold` or `deny`.
        terms: What humans are asked, where it holds, or where its denial may be appealed.
        appeal: Its denial may be appealed.
        terminate: Its denial ends the connection, where it is one that goes on.
        observe: It only records what it would have done.
        redact: What is done with findings of a type where it matches.
        restore: Types whose surrogates are put back into the tool's input.
    """

    id: str
    where: str
    on: frozenset[ActionKind]
    then: str
    when: Expression | None = None
    unless: Expression | None = None
    match: tuple[Pattern, ...] = ()
    terms: ApprovalTerms | None = None
    appeal: bool = False
    terminate: bool = False
    reason: str = ""
    observe: bool = False
    record: RecordMode | None = None
    redact: Mapping[str, Method] = field(default_factory=dict[str, Method])
    restore: frozenset[str] = frozenset()

    @property
    def conditional(self) -> bool:
        """Whether it asks for more than the kind."""
        return bool(self.when or self.unless or self.match)

    def reads(self) -> frozenset[str]:
        """The fields its conditions read."""
        conditions = (self.when, self.unless)
        return frozenset().union(*(each.fields for each in conditions if each))

    def possible(self, kind: ActionKind) -> bool:
        """Whether it can match any action of this kind."""
        call = kind is ActionKind.MCP_CALL and bool(self.match)
        return (
            kind in self.on
            and not (call and not any(pattern.server for pattern in self.match))
            and not (self.when and self.when.constant(kind, call=call) is False)
            and not (self.unless and self.unless.constant(kind, call=call) is True)
        )

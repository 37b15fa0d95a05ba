"""What this version can enforce. Rules that ask for more are errors at load."""

from dataclasses import dataclass

from proctor.model import ActionKind

SQL_NOVELTY = frozenset(
    f"novelty.{name}"
    for name in ("statement", "table", "tables", "volume", "hour", "history", "days")
)
"""What only a listener for a database fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the rest of the house can do with what rules say.

    Attributes:
        kinds: Actions that some door makes.
        unfilled: Fields, or whole names, that nothing fills yet.
        listeners: Names of the listeners in proctor.yaml, so that a rule about another one is found
            out; None where they are not known.
        servers: Names of the MCP servers in proctor.yaml, likewise; None where they are not known.
        entities: Types of findings that are looked for; None where they are not known.
    """

    kinds: frozenset[ActionKind] = frozenset(
        {
            ActionKind.LLM_REQUEST,
            ActionKind.LLM_TOOL_USE,
            ActionKind.HTTP_REQUEST,
            ActionKind.MCP_CALL,
            ActionKind.GIT_FETCH,
            ActionKind.GIT_PUSH,
        }
    )
    unfilled: frozenset[str] = SQL_NOVELTY | {"budget"}
    listeners: frozenset[str] | None = None
    servers: frozenset[str] | None = None
    entities: frozenset[str] | None = None

    def lacks(self, field: str) -> bool:
        """Whether nothing fills this field."""
        return field in self.unfilled or field.split(".", maxsplit=1)[0] in self.unfilled

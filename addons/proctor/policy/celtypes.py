"""The types that expressions can have, and which of them go together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What values a field can have at all, so that a comparison with another is found at load.

    Attributes:
        form: What every value matches in full.
        says: The same in words, for the error.
        known: The whole vocabulary, where it is closed; for suggestions.
    """

    form: re.Pattern[str]
    says: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A type of CEL.

    Attributes:
        name: `int`, `string`, `list`, `map`, `dyn`, … as CEL names it, or `room` for a table row.
        key: Of a map.
        item: Of a list, or a map's values.
        fields: Of a room, or of a map with known keys.
        words: What values it can have, where that is known.
        span: Least and greatest value of a number, where that is known.
    """

    name: str
    key: "Type | None" = None
    item: "Type | None" = None
    fields: Mapping[str, "Type"] | None = field(default=None, compare=False, hash=False)
    words: Words | None = field(default=None, compare=False, hash=False)
    span: tuple[int, int] | None = field(default=None, compare=False, hash=False)

    def __str__(self) -> str:
        if self.name == "list" and self.item:
            return f"list({self.item})"
        if self.name == "map" and self.key and self.item:
            return f"map({self.key}, {self.item})"
        return self.name


BOOL = Type(name="bool")
INT = Type(name="int")
UINT = Type(name="uint")
DOUBLE = Type(name="double")
STRING = Type(name="string")
BYTES = Type(name="bytes")
NULL = Type(name="null")
TIMESTAMP = Type(name="timestamp")
DURATION = Type(name="duration")
TYPE = Type(name="type")
DYN = Type(name="dyn")

SIMPLE = {
    kind.name: kind
    for kind in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL, TIMESTAMP, DURATION, TYPE, DYN)
}
NUMBERS = frozenset({"int", "uint", "double"})


def list_of(item: Type) -> Type:
    """`list(item)`."""
    return Type(name="list", item=item)


def map_of(key: Type, item: Type) -> Type:
    """`map(key, item)`."""
    return Type(name="map", key=key, item=item)


def record(**fields: Type) -> Type:
    """A map whose keys are known."""
    return Type(name="map", key=STRING, item=DYN, fields=fields)


def room(**fields: Type) -> Type:
    """A row of the field table."""
    return Type(name="room", fields=fields)


def comparable(left: Type, right: Type) -> bool:
    """Whether `==` can be anything but false between the two (CEL, "Equality")."""
    if "dyn" in {left.name, right.name}:
        return True
    if left.name in NUMBERS and right.name in NUMBERS:
        return True  # numbers are compared by value, whatever their types
    if left.name != right.name or left.name == "room":
        return False
    keys = left.key is None or right.key is None or comparable(left.key, right.key)
    items = left.item is None or right.item is None or comparable(left.item, right.item)
    return keys and items


def join(left: Type, right: Type) -> Type:
    """The type of a value that may come from either."""
    if left == right:
        return left
    if left.name == right.name == "list" and left.item and right.item:
        return list_of(join(left.item, right.item))
    return DYN

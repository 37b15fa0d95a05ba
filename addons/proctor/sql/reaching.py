"""What a statement gets to beyond what it names: views' tables, partitions, foreign keys, triggers.

Rules are about tables. So a view stands for the tables under it, a table for its partitions and
heirs, those for their parents, a changed one for the tables whose foreign keys follow it, and a
table with rules for all that they name. What runs unseen on the way is told, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from proctor.sql.functions import known, known_operator
from proctor.sql.identifiers import written
from proctor.sql.names import Code, Function, Names, Reached, Relation, Step
from proctor.sql.question import MOST_CHILDREN
from proctor.sql.scopes import column_name
from proctor.sql.statement import Statement

_TABLES: Final = frozenset("rpvmf")

# Beyond the letters of Reference.does: its rows are read, it is a materialized view made anew.
_READ: Final = "R"
_REFRESH: Final = "F"
_STORED: Final = frozenset("IU")
_ANY: Final = frozenset({_READ, *"IUD"})

# pg_rewrite.ev_type, and what has to be done to a relation so that the rule is used (nodes.h).
_SELECT: Final = "1"
_RULES: Final = {"2": "U", "3": "I", "4": "D"}

# Bits of pg_trigger.tgtype (catalog/pg_trigger.h).
_TRIGGERS: Final = {"I": 1 << 2, "D": 1 << 3, "U": 1 << 4, "T": 1 << 5}

# pg_constraint.confdeltype and confupdtype: CASCADE, SET NULL and SET DEFAULT change who refers.
_DELETES: Final = {"c": "D", "n": "U", "d": "U"}

# How far is gone from a relation: its parents only; all but children (ONLY); everywhere.
_UP, _ONLY, _ALL = range(3)


@dataclass(slots=True)
class _State:
    does: set[str] = field(default_factory=set[str])
    far: int = -1


@dataclass(frozen=True, slots=True)
class Reach:
    """What one statement gets to.

    Attributes:
        tables: As rules see them; those that are named are not all among them.
        functions: What runs with what is done to them, as rules see functions.
        unknown: Those of them that are not known; and what else is out of sight:
            "partitions:public.events" where more belong to it than can be told.
        opaque: Why that is so, in words.
    """

    tables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


def reach(
    statement: Statement, names: Names, assigned: AbstractSet[str], allowed: AbstractSet[str]
) -> Reach:
    """Goes from what a statement names to all that follows.

    Args:
        statement: One of the script that the names were asked for.
        names: The server's word.
        assigned: Columns that get a value, as rules see them.
        allowed: Functions that are known beyond the list that ships; see functions.known.
    """
    walk = _Walk(names)
    for reference in statement.references:
        relation = names.relation(reference)
        if relation is None or reference.created:
            continue
        does = {*reference.does}
        if does or not reference.written:
            does.add(_READ)
        if relation.kind == "m" and "REFRESH" in statement.verbs:
            does.add(_REFRESH)
        walk.assigned[relation.oid] = _numbers(relation, assigned)
        # A view's own definition is changed: not what is under it.
        apart = not does and relation.kind in {"v", "m"}
        walk.go(relation.oid, does, _UP if apart else _ONLY if reference.only else _ALL)
    walk.on()
    return walk.told(allowed)


def _numbers(relation: Relation, assigned: AbstractSet[str]) -> frozenset[str]:
    """Columns by number that may get another value; a generated one follows others."""
    return frozenset(
        str(column.number)
        for column in relation.columns
        if column.generated or column_name(relation, column.name) in assigned
    )


class _Walk:
    def __init__(self, names: Names) -> None:
        self.assigned: dict[int, frozenset[str]] = {}
        self._names = names
        self._states: dict[int, _State] = {}
        self._waiting: dict[int, None] = {}
        self._crowded: dict[int, None] = {}

    def go(self, oid: int, does: Iterable[str], far: int) -> None:
        """Notes a relation; what is new about it is followed by `on`."""
        state = self._states.setdefault(oid, _State())
        before = len(state.does), state.far
        state.does |= {*does}
        state.far = max(state.far, far)
        if (len(state.does), state.far) != before:
            self._waiting[oid] = None

    def on(self) -> None:
        """Follows every step until nothing new comes of it: states only grow."""
        while self._waiting:
            oid, _ = self._waiting.popitem()
            state = self._states[oid]
            steps = self._names.steps.get(oid, ())
            if state.far == _ALL and sum(step.kind == "c" for step in steps) > MOST_CHILDREN:
                self._crowded[oid] = None
            for step in steps:
                self._step(oid, {*state.does}, state.far, step)

    def _step(self, oid: int, does: set[str], far: int, step: Step) -> None:
        if step.kind == "p":
            self.go(step.oid, (), _UP)
        elif far == _UP:
            return
        elif step.kind == "c" and far == _ALL:
            self.go(step.oid, does, _ALL)
        elif step.kind == "v" and step.how == _SELECT:
            stored = self._kind(oid) == "m"  # its rows are there already
            self.go(step.oid, ({_READ} if _REFRESH in does else ()) if stored else does, _ALL)
        elif step.kind == "v" and _RULES.get(step.how, "") in does:
            self.go(step.oid, _ANY, _ALL)
        elif step.kind == "f" and (follows := self._follows(oid, does, step.how)):
            self.go(step.oid, follows, _ALL)

    def _follows(self, oid: int, does: set[str], how: str) -> set[str]:
        """What a foreign key does to the rows that refer to changed ones."""
        follows: set[str] = set()
        if "D" in does and how[0] in _DELETES:
            follows.add(_DELETES[how[0]])
        if "U" in does and how[1] in _DELETES:
            assigned = self.assigned.get(oid)
            if assigned is None or not assigned.isdisjoint(how[2:].split(",")):
                follows.add("U")
        if {"T", "C"} <= does:
            follows |= {"T", "C"}
        return follows

    def _kind(self, oid: int) -> str:
        relation = self._names.reached.get(oid)
        return relation.kind if relation else ""

    def told(self, allowed: AbstractSet[str]) -> Reach:
        """All of it, in words."""
        tables: set[str] = set()
        functions: dict[str, None] = {}
        unknown: dict[str, None] = {}
        opaque: dict[str, None] = {}
        for oid, state in self._states.items():
            relation = self._names.reached.get(oid)
            if relation is None:
                continue
            name = _name(relation)
            if relation.kind in _TABLES:
                tables.add(name)
            if oid in self._crowded and f"partitions:{name}" not in allowed:
                unknown[f"partitions:{name}"] = None
                opaque[f"more than {MOST_CHILDREN} partitions of {name}"] = None
            for code in self._running(oid, relation, state):
                called = _called(code)
                functions[called] = None
                if not (known_operator if code.operator else known)(code.function, allowed):
                    unknown[called] = None
                    opaque[f"{_WORDS[code.what].format(code.name)} {name} calls {called}"] = None
        if self._names.cut:
            unknown["relations"] = None
            opaque["more relations than can be told"] = None
        return Reach(tuple(sorted(tables)), tuple(functions), tuple(unknown), tuple(opaque))

    def _running(self, oid: int, relation: Reached, state: _State) -> Iterator[Code]:
        """What runs with what is done to a relation."""
        if state.far == _UP:
            return
        does = {*state.does}
        if "U" in does and any(step.kind == "p" for step in self._names.steps.get(oid, ())):
            does |= {"I", "D"}  # a row may move to another partition
        for code in self._names.code.get(oid, ()):
            if _runs(code, relation, does):
                yield code


def _runs(code: Code, relation: Reached, does: set[str]) -> bool:
    match code.what:
        case "trigger":
            return any(int(code.how) & _TRIGGERS.get(each, 0) for each in does)
        case "rule" if code.how == _SELECT:
            return (_REFRESH if relation.kind == "m" else _READ) in does
        case "rule":
            return _RULES.get(code.how, "") in does
        case "policy":
            return relation.guarded and _READ in does
        case _:
            return not _STORED.isdisjoint(does)


_WORDS: Final[Mapping[str, str]] = {
    "trigger": "trigger {} on",
    "rule": "rule {} on",
    "policy": "policy {} on",
    "check": "constraint {} of",
    "default": "a column of{}",
    "index": "an index on{}",
    "definition": "the definition of{}",
}


def _called(code: Code) -> str:
    one: Function = code.function
    if code.operator:
        return f"{written(one.schema)}.operator {one.name}"
    return written(one.schema, one.name)


def _name(relation: Reached) -> str:
    return written("pg_temp" if relation.temporary else relation.schema, relation.name)

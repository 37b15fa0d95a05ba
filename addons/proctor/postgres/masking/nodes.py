"""Reads what PostgreSQL writes of its analysed statements: pg_node_tree (outfuncs.c, read.c).

    {VAR :varno 1 :varattno 3 :vartype 25}     a node, its fields by name
    ({VAR …} {CONST …})  (b 8 10)  ("id")      lists
    <>                                         nothing
    tokens, in which a backslash takes the meaning of the next character

Fields come and go with the server's version; here they are known by their names alone.
"""

import re
from typing import Any, Final

MAX_SIZE: Final = 4 * 2**20
"""Characters of the longest tree that is read."""

_TOKENS: Final = re.compile(
    r"[(){}]|[^ \n\t(){}\\]+(?:\\.[^ \n\t(){}\\]*)*|(?:\\.[^ \n\t(){}\\]*)+", re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

# Two thirds of a tree say nothing of where a column is used. Taking them out first makes reading
# three times as fast. A string is one token, so none of these can begin in one and end behind it.
_NUMBERS: Final = (
    "location|varnosyn|varattnosyn|vartype|vartypmod|varcollid|varreturningtype|inputcollid"
    "|opcollid|funccollid|resulttypmod|resultcollid|paramtypmod|paramcollid|consttypmod"
    "|constcollid|constlen|constbyval|opretset|funcvariadic|stmt_location|stmt_len|inFromCl"
    "|lateral|inh|perminfoindex|rellockmode|isReturn|canSetTag|querySource|override"
    "|groupDistinct|limitOption|nulls_first|mergeUseOuterJoin|mergeTargetRelation|hashable"
    "|sortop|eqop|reverse_sort|requiredPerms|isNatural|checkAsUser|hasAggs|hasWindowFuncs"
    "|hasTargetSRFs|hasSubLinks|hasDistinctOn|hasRecursive|hasModifyingCTE|hasForUpdate"
    "|hasRowSecurity|hasGroupRTE"
)
_LISTS: Final = (
    "selectedCols|insertedCols|updatedCols|extraUpdatedCols|varnullingrels|joinleftcols"
    "|joinrightcols|coltypes|coltypmods|colcollations|ctecoltypes|ctecoltypmods"
    "|ctecolcollations"
)
_NOISE: Final = re.compile(
    rf" :(?:{_NUMBERS}) (?:-?\d+|true|false)(?=[ }}])"
    r"| :\w+ <>(?=[ }])"
    r"| :(?:alias|eref) \{ALIAS (?:[^{}\\]|\\.)*\}"
    rf"| :(?:{_LISTS}) \([^()\\]*\)",
    re.DOTALL,
)


class Node:
    """A node: its tag in capitals, and its fields."""

    __slots__ = ("fields", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.fields: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Node({self.tag})"  # fields hold constants

    def number(self, name: str) -> int:
        """A field that is a number; KeyError, TypeError or ValueError where it is not."""
        return int(self.fields[name])

    def nodes(self, name: str) -> list["Node"]:
        """A field that is a list of nodes, or nothing."""
        found = self.fields.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(item, Node) for item in found):
            raise ValueError(f"{self.tag}.{name} is no list of nodes")
        return found

    def text(self, name: str) -> str:
        """A field that is a string; "" for nothing."""
        found = self.fields.get(name)
        return _ESCAPED.sub(r"\1", found) if isinstance(found, str) else ""


def read_tree(text: str) -> Any:
    """The tree: a Node, a list, a token (with its backslashes) or None.

    Raises:
        ValueError: It is none, or too large.
    """
    if len(text) > MAX_SIZE:
        raise ValueError("the tree is too large")
    root: list[Any] = []
    outer: list[tuple[Any, str]] = []  # what was begun around `here`, and its field
    here: Any = root
    name = ""  # the field of `here` that the next value is for
    words = iter(_TOKENS.findall(_NOISE.sub("", text)))
    for word in words:
        if word == "{":
            new: Any = Node(next(words, ""))
        elif word == "(":
            new = []
        elif word in ")}":
            if not outer or (word == "}") != isinstance(here, Node):
                raise ValueError("brackets do not match")
            here, name = outer.pop()
            continue
        # A name in SQL may begin with a colon: what follows a field's name is always its value.
        elif word[0] == ":" and isinstance(here, Node) and (not name or name in here.fields):
            name = word[1:]
            continue
        else:
            _put(here, name, None if word == "<>" else word)
            continue
        _put(here, name, new)
        outer.append((here, name))
        here, name = new, ""
    if outer or len(root) != 1:
        raise ValueError("the tree does not end")
    return root[0]


def _put(parent: Any, name: str, value: Any) -> None:
    if isinstance(parent, list):
        parent.append(value)
    elif not name:
        raise ValueError("a value without a field")
    elif name not in parent.fields:
        parent.fields[name] = value
    elif name != "constvalue":  # length and bytes: the only field of several tokens
        raise ValueError("two values for one field")
    else:
        held = parent.fields[name]
        parent.fields[name] = [*held, value] if isinstance(held, list) else [held, value]

"""Does one commit descend from another? Told by the commits that are known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Descent:
    """What is known of it.

    Attributes:
        found: It does.
        open: Commits whose parents are not known; where there are none, `found` is the answer.
    """

    found: bool
    open: tuple[str, ...] = ()


def descent(old: str, new: str, parents: Mapping[str, Iterable[str]]) -> Descent:
    """Whether `new` is `old` or comes after it.

    Args:
        old: A commit, hex.
        new: The same.
        parents: Of the commits that are known.
    """
    todo, seen = [new], {new}
    unknown: list[str] = []
    while todo:
        commit = todo.pop()
        if commit == old:
            return Descent(found=True)
        before = parents.get(commit)
        if before is None:
            unknown.append(commit)
            continue
        fresh = [each for each in before if each not in seen]
        seen.update(fresh)
        todo += fresh
    return Descent(found=False, open=tuple(unknown))

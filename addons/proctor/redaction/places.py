"""Locations that do not tell what was found: a member may be named by a value."""

from collections.abc import Callable, Mapping, Sequence

import ahocorasick_rs

from proctor.redaction.model import Leaf, Spot

_NAME = "#name"


def hiding(leaves: Sequence[Leaf], spots: Mapping[int, Sequence[Spot]]) -> Callable[[str], str]:
    """What puts `*` for values that were found in names.

    Args:
        leaves: Of one document.
        spots: What was found in them, by index.
    """
    values = {
        leaves[index].text[spot.start : spot.end]
        for index, found in spots.items()
        if leaves[index].location.endswith(_NAME)
        for spot in found
    }
    if not values:
        return lambda location: location
    # There may be as many names as locations, so all are looked for at once.
    automaton = ahocorasick_rs.AhoCorasick(
        sorted(values), matchkind=ahocorasick_rs.MatchKind.LeftmostLongest
    )

    def hidden(location: str) -> str:
        pieces: list[str] = []
        at = 0
        for _, start, end in automaton.find_matches_as_indexes(location):
            pieces += (location[at:start], "*")
            at = end
        return "".join((*pieces, location[at:]))

    return hidden

"""What was typed and seen, read for many at once.

Content of one session lies together in files of some megabytes, and each reading unpacks a part of
one: to read it for one exchange after the other takes fifty times as long.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from proctor.audit.reader import Reader
from proctor.export.events import Event
from proctor.model import ContentRef

MOST = 256
"""Of a group."""

MOST_BYTES = 8 * 2**20
"""Of a group's content; one that is larger goes alone."""


def groups[T](items: Iterable[T], refs: Callable[[T], Iterable[ContentRef]]) -> Iterator[list[T]]:
    """Items in groups whose content is read at once.

    Args:
        items: In order.
        refs: What one of them needs.
    """
    group: list[T] = []
    size = 0
    for item in items:
        own = sum(ref.size for ref in refs(item))
        if group and (len(group) >= MOST or size + own > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(item)
        size += own
    if group:
        yield group


def texts(reader: Reader, events: Sequence[Event]) -> list[Mapping[str, str | None]]:
    """What the references of each event stand for, by name; None for what was erased."""
    found = reader.contents(
        dict.fromkeys(ref for event in events for ref in event.contents.values())
    )
    return [
        {
            name: None if found[ref].erased else found[ref].text
            for name, ref in event.contents.items()
        }
        for event in events
    ]

"""Records as the lines that one sink gets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor.audit.reader import Reader
from proctor.export.content import groups, texts
from proctor.export.events import Event, events
from proctor.export.joined import whole
from proctor.export.oneoff import encoded
from proctor.export.otlp import Traces
from proctor.export.records import Record
from proctor.export.settings import ExportSettings
from proctor.export.sinks import line
from proctor.model import ContentRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Makes them.

    Attributes:
        settings: The sink's.
        store: The store's id.
    """

    settings: ExportSettings
    store: str

    def of(
        self, reader: Reader, records: Sequence[Record], traces: Traces
    ) -> Iterator[tuple[Record, list[bytes]]]:
        """Each record with its lines, each of these without its end.

        Args:
            reader: Where content is.
            records: In order.
            traces: Told of sessions, where lines are spans.
        """
        told = whole(reader, [record.envelope for record in records])
        pairs = (
            (record, self._events(envelope, traces))
            for record, envelope in zip(records, told, strict=True)
        )
        for group in groups(pairs, self._wanted):
            found = [event for _, own in group for event in own]
            said = iter(texts(reader, found) if self.settings.content else [{} for _ in found])
            for record, own in group:
                yield record, [self._line(event, next(said), traces) for event in own]

    def _wanted(self, pair: tuple[Record, list[Event]]) -> Iterator[ContentRef]:
        if self.settings.content:
            for event in pair[1]:
                yield from event.contents.values()

    def _events(self, envelope: Mapping[str, Any], traces: Traces) -> list[Event]:
        if self.settings.format == "otlp":
            return list(traces.events(envelope))
        return list(events(self.store, envelope, self.settings.wanted))

    def _line(self, event: Event, said: Mapping[str, str | None], traces: Traces) -> bytes:
        if self.settings.format == "otlp":
            return line(traces.span(event, said))
        return encoded(event, self.settings.profile, said)

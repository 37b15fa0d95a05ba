"""One export, from beginning to end: what is meant, in one form, to one place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from proctor.audit.reader import Reader
from proctor.audit.statements import POSTGRES
from proctor.export import ocsf
from proctor.export.content import groups, texts
from proctor.export.events import VIEWS, Event, events
from proctor.export.joined import KINDS, joined
from proctor.export.otlp import Traces, message
from proctor.export.records import Choice, Plan, walk
from proctor.export.sinks import line

_SPANS = 512


class Form(StrEnum):
    """What is made."""

    NDJSON = "ndjson"
    PARQUET = "parquet"
    HAR = "har"
    MITM = "mitm"
    OTLP = "otlp"


class Profile(StrEnum):
    """How a line of NDJSON looks."""

    PROCTOR = "proctor"
    OCSF = "ocsf"


FLOW_KINDS = ("flow.end",)
"""Of envelopes that HAR, `.mitm` and OTLP are made of: an exchange counts once it has ended."""

_HTTP_ONLY = frozenset({Form.HAR, Form.MITM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one export needs.

    Attributes:
        reader: The record.
        store: Its id.
        form: But Parquet, which is made of views.
        profile: Of NDJSON.
        views: Of NDJSON.
        content: What was typed and answered, too; HAR and `.mitm` always have bodies.
        only: Principal ("" for nobody proved) and name of the one session that is meant; a
            `Choice` would take others whose names begin so.
    """

    reader: Reader
    store: str
    form: Form
    profile: Profile = Profile.PROCTOR
    views: frozenset[str] = frozenset(VIEWS)
    content: bool = False
    only: tuple[str, str] | None = None

    def write(self, planned: Plan, file: BinaryIO, count: Callable[[], None]) -> int:
        """Write all of it.

        Args:
            planned: Which records.
            file: Where.
            count: Called after each record.

        Returns:
            How many rows, entries, flows or spans there are.
        """
        envelopes = filter(self._meant, _counted(walk(self.reader, planned), count))
        match self.form:
            case Form.NDJSON:
                return self._lines(joined(self.reader, envelopes), file)
            case Form.OTLP:
                return self._spans(joined(self.reader, envelopes), file)
            case Form.HAR | Form.MITM:
                return self._flows(envelopes, file)
            case Form.PARQUET:
                raise ValueError(self.form)

    def _lines(self, envelopes: Iterator[Mapping[str, Any]], file: BinaryIO) -> int:
        rows = 0
        found = (
            event for envelope in envelopes for event in events(self.store, envelope, self.views)
        )
        for event, said in self._told(found):
            file.write(encoded(event, self.profile, said) + b"\n")
            rows += 1
        return rows

    def _spans(self, envelopes: Iterator[Mapping[str, Any]], file: BinaryIO) -> int:
        traces = Traces(store=self.store, content=self.content)
        rows, spans = 0, list[bytes]()
        found = (event for envelope in envelopes for event in traces.events(envelope))
        for event, said in self._told(found):
            spans.append(line(traces.span(event, said)))
            if len(spans) >= _SPANS:
                file.write(message(self.store, spans) + b"\n")
                rows, spans = rows + len(spans), []
        spans += map(line, traces.ended(None))
        if spans:
            file.write(message(self.store, spans) + b"\n")
        return rows + len(spans)

    def _flows(self, envelopes: Iterator[dict[str, Any]], file: BinaryIO) -> int:
        from proctor.export import flows  # noqa: PLC0415 - mitmproxy; the others do without

        made = flows.HarOutput(file) if self.form is Form.HAR else flows.MitmOutput(file)
        rows = 0
        for group in groups(envelopes, flows.bodies):
            found = self.reader.bytes_of(ref for each in group for ref in flows.bodies(each))
            for envelope in group:
                made.add(flows.rebuilt(envelope, found))
                rows += 1
        made.close()
        return rows

    def _meant(self, envelope: Mapping[str, Any]) -> bool:
        if self.form in _HTTP_ONLY and envelope.get("protocol") == POSTGRES:
            return False  # a connection to a database is no exchange of HTTP
        own = (envelope.get("principal") or "", envelope.get("session_id"))
        return self.only in {None, own}

    def _told(self, found: Iterator[Event]) -> Iterator[tuple[Event, Mapping[str, str | None]]]:
        if not self.content:
            for event in found:
                yield event, {}
            return
        for group in groups(found, lambda event: event.contents.values()):
            yield from zip(group, texts(self.reader, group), strict=True)


def encoded(event: Event, profile: str, texts: Mapping[str, str | None]) -> bytes:
    """One line of NDJSON, without its end."""
    return line(
        ocsf.record(event, texts) if profile == Profile.OCSF.value else event.as_json(texts)
    )


def chosen(choice: Choice, form: Form) -> Choice:
    """The choice, of those envelopes that the form is made of."""
    if form is Form.NDJSON:
        return choice
    return Choice(
        kinds=FLOW_KINDS if form in _HTTP_ONLY else FLOW_KINDS + KINDS,
        session=choice.session,
        principal=choice.principal,
        since=choice.since,
        until=choice.until,
    )


def _counted(
    envelopes: Iterator[dict[str, Any]], count: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    for envelope in envelopes:
        yield envelope
        count()


def named(folder: Path, view: str) -> Path:
    """The file of one view in a folder of Parquet files."""
    return folder / f"{view}.parquet"

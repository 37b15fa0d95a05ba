"""One writer's records and content, against what it signed and what others kept of that."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from proctor.audit.store import CONTENT, SEGMENTS
from proctor.evidence.verify import shown
from proctor.evidence.verify.cold import Cold, raws
from proctor.evidence.verify.contents import ContentCheck, Excuses, scope_of
from proctor.evidence.verify.copies import check_kept
from proctor.evidence.verify.files import Listed
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import ENVELOPE, Hot, object_of
from proctor.evidence.verify.said import Said, details_of
from proctor.evidence.verify.signed import Sealed, SealedLog, moment
from proctor.evidence.verify.snapshot import File, Snapshot, WriterFiles
from proctor.evidence.verify.trees import Leaves, broken, check_tree, gather
from proctor.tlog.tree import HASH_SIZE


@dataclass(slots=True, kw_only=True)
class WriterReport:
    """One writer.

    Attributes:
        writer: Its name.
        records: How many records it has had.
        proved: How many of them a signed root covers.
        dropped: How many are there by their leaf alone, as the ledger says.
        left_out: How many a partial copy left out.
        first: Time of its first record that is there, RFC 3339, or empty.
        last: Time of its last one.
        checkpoints: How many.
        sealed: Time of the newest.
        key: Number of the key that signed the newest, or None.
        blocks: Blocks of content that were checked.
        references: References to content that were checked.
        gone: References whose content is gone, as the record says.
    """

    writer: str
    records: int = 0
    proved: int = 0
    dropped: int = 0
    left_out: int = 0
    first: str = ""
    last: str = ""
    checkpoints: int = 0
    sealed: str = ""
    key: int | None = None
    blocks: int = 0
    references: int = 0
    gone: int = 0


class WriterCheck:
    """One writer's records and content.

    Attributes:
        doubtful: Runs of records that do not give a root that was signed: first, and after last.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what has been read so far
        self,
        shot: Snapshot,
        writer: WriterFiles,
        log: SealedLog,
        kept: list[Sealed],
        listed: Listed,
        cold: dict[str, Cold],
        hot: Hot,
        vouched: set[str],
        said: Said,
        findings: Findings,
        tick: Callable[[int], None],
        refer: Callable[[Sequence[File]], Iterator[Cold]] | None,
    ) -> None:
        self._said = said
        self._findings = findings
        self._tick = tick
        self._refer = refer
        self.doubtful: list[tuple[int, int]] = []
        self._shot = shot
        self._writer = writer
        self._log = log
        self._kept = kept
        self._listed = listed
        self._vouched = vouched
        self._files = [file for file in shot.files if file.writer == writer.name]
        self._cold = [cold[f.name] for f in self._files if f.kind == SEGMENTS]
        last = log.last
        self._ended = last is not None and last.due is None
        self._hot = hot

    def run(self) -> WriterReport:
        """All of it."""
        report = WriterReport(writer=self._writer.name, checkpoints=len(self._log.sealed))
        leaves = gather(
            self._writer.name,
            [each for each in self._cold if not each.error],
            self._hot,
            self._findings,
        )
        last = self._log.last
        self._gaps(leaves, last.size if last else 0, report)
        levels = shown.read_levels(self._writer)
        checked = check_tree(
            leaves,
            [*self._log.sealed, *self._kept],
            hint=self._writer.leaves,
            mark=levels[SEGMENTS][0] + 1 if levels else 0,
            raws=self._raws,
            describe=self._describe,
            findings=self._findings,
        )
        self.doubtful = checked.doubtful
        self._against_kept()
        self._tail(leaves, last.size if last else 0)
        self._leaves_file(leaves, levels[SEGMENTS][0] + 1 if levels else 0)
        if self._shot.bundle is None:
            shown.check_state(
                self._writer,
                files=self._files,
                listed=self._listed,
                hot=self._hot,
                leaves=leaves,
                checked=checked,
                findings=self._findings,
            )
        self._time_gaps()
        self._content(report)
        report.records, report.proved = leaves.size, checked.proved
        there = leaves.there.find(1), leaves.there.rfind(1)
        if there[0] >= 0:
            report.first, report.last = (_head(self._start(number))[1] for number in there)
        if last:
            report.sealed, report.key = moment(last.time), self._log.key
        return report

    def _gaps(self, leaves: Leaves, size: int, report: WriterReport) -> None:
        """Records that are not there: rightly dropped, left out of a copy, or missing."""
        name = self._writer.name
        dropped = [shown.span(each) for each in self._listed.dropped if each.startswith(SEGMENTS)]
        bundle = (self._shot.bundle or {}).get("records", {}).get(name)
        limit = leaves.size
        if isinstance(bundle, dict) or dropped:
            limit = max(limit, min(size, len(self._writer.leaves) // HASH_SIZE))
        leaves.grow(limit)
        kept = memoryview(self._writer.leaves)
        for first, last in leaves.missing(limit):
            hint = kept[first * HASH_SIZE : (last + 1) * HASH_SIZE]
            leaves.array[first * HASH_SIZE : first * HASH_SIZE + len(hint)] = hint
            if isinstance(bundle, dict):
                report.left_out += last + 1 - first
                continue
            for start, end, rightly in _split(first, last, dropped):
                if rightly:
                    report.dropped += end + 1 - start
                else:
                    self._missing(start, end)
        if isinstance(bundle, dict):
            check_kept(name, bundle, leaves.there, size, self._findings)
        if report.dropped:
            self._findings.notice(
                "records-dropped",
                f"{report.dropped} records were dropped, as the ledger says; their leaves are kept",
                writer=name,
            )
        if report.left_out:
            self._findings.notice(
                "records-left-out",
                f"{report.left_out} records were left out of this copy; their leaves are in it",
                writer=name,
                file="bundle.json",
            )

    def _missing(self, first: int, last: int) -> None:
        around = self._raws({first - 1, last + 1})
        time = _head(around.get(first - 1, b""))[1] or _head(around.get(last + 1, b""))[1]
        self._findings.problem(
            "record-missing",
            f"{last + 1 - first} records are missing: {first} to {last}"
            if last > first
            else f"Record {first} is missing",
            writer=self._writer.name,
            seq=first,
            time=time,
            found=f"{first - 1} is followed by {last + 1}",
        )

    def _tail(self, leaves: Leaves, covered: int) -> None:
        """Records that no checkpoint covers yet hold on to each other only."""
        if leaves.size <= covered:
            return
        if self._ended:
            self._findings.problem(
                "record-added",
                "Records stand after the checkpoint with which the gateway ended",
                writer=self._writer.name,
                seq=covered,
                expected=f"{covered} records",
                found=str(leaves.size),
            )
        for number in broken(leaves, max(0, covered - 1), leaves.size, self._raws):
            self._findings.problem(
                "record-changed",
                "A record is not what the next one says it was",
                **self._describe(number),
            )
        self._findings.notice(
            "not-covered",
            f"{leaves.size - covered} records are not under a checkpoint yet",
            writer=self._writer.name,
            seq=covered,
        )

    def _leaves_file(self, leaves: Leaves, least: int) -> None:
        kept, name = self._writer.leaves, self._writer.name
        file = f"writers/{name}/leaves"
        count = len(kept) // HASH_SIZE
        if len(kept) % HASH_SIZE or count > leaves.size or (least and count < least):
            self._findings.problem(
                "leaves-wrong",
                "The list of kept leaves has another length than it should",
                writer=name,
                file=file,
                expected=f"{least} to {leaves.size} leaves",
                found=f"{len(kept)} bytes",
            )
        same = min(len(kept), len(leaves.array))
        if not (leaves.array.startswith(kept) or kept.startswith(leaves.array)):
            number = next(
                n
                for n in range(same // HASH_SIZE + 1)
                if kept[n * HASH_SIZE : (n + 1) * HASH_SIZE]
                != leaves.array[n * HASH_SIZE : (n + 1) * HASH_SIZE]
            )
            self._findings.problem(
                "leaves-wrong",
                "A kept leaf is not that of the record",
                writer=name,
                seq=number,
                file=file,
                at=f"byte {number * HASH_SIZE}",
            )

    def _against_kept(self) -> None:
        """What was kept elsewhere must not be newer than what is here."""
        last = self._log.last
        for each in self._kept:
            said = each.statement
            if last is None or said.size > last.size or said.time > last.time:
                self._findings.problem(
                    "rolled-back",
                    "The record is older than a checkpoint that was kept elsewhere",
                    writer=self._writer.name,
                    seq=last.size if last else 0,
                    time=moment(said.time),
                    file=each.where,
                    expected=f"{said.size} records at {moment(said.time)}",
                    found=f"{last.size} records at {moment(last.time)}" if last else "none",
                )
            elif not any(own.statement.hash == said.hash for own in self._log.sealed):
                self._findings.problem(
                    "forked",
                    "A checkpoint that was kept elsewhere is not in this record's history",
                    writer=self._writer.name,
                    seq=said.size,
                    time=moment(said.time),
                    file=each.where,
                )

    def _time_gaps(self) -> None:
        own = {str(detail.get("since")) for detail in self._told("record.resumed")}
        resumed = own | self._said.resumed.get(self._writer.name, set())
        for gap in self._log.gaps:
            since, until = moment(gap.before.time), moment(gap.after.time)
            say = self._findings.notice if since in resumed else self._findings.problem
            say(
                "gap-in-time",
                "The gateway did not end as it should; the next one said so in the record"
                if since in resumed
                else "No checkpoint came when one was promised, and the record does not say why",
                writer=self._writer.name,
                seq=gap.before.size,
                time=since,
                expected=f"a checkpoint by {moment(gap.before.due or gap.before.time)}",
                found=f"none until {until}",
            )

    def _content(self, report: WriterReport) -> None:
        files = [file for file in self._files if file.kind == CONTENT]
        references = dict(self._hot.references)
        for each in self._cold:
            for reference, number in each.references.items():
                references.setdefault(reference, number)
        excuses = Excuses(
            gone=lambda scope: (
                scope in self._said.erased or self._said.may_miss(self._writer.name, scope)
            ),
            ranges=[shown.span(name) for name in self._listed.dropped if name.startswith(CONTENT)],
            any=self._shot.bundle is not None,
        )
        check = ContentCheck(
            self._shot.path,
            self._writer.name,
            files=files,
            hot=self._hot,
            excuses=excuses,
            findings=self._findings,
        )
        check.sequence()
        only = None
        if self._refer is not None:
            scopes, lowest = check.outside(self._vouched)
            self._more(references, scopes, lowest)
            only = scopes.union(filter(None, map(scope_of, references)))
        found = check.check(references, self._tick, only)
        report.blocks, report.references, report.gone = found.blocks, found.references, found.gone
        erased = any(scope.startswith(f"{self._writer.name}.") for scope in self._said.erased)
        unread = self._refer is not None and (erased or bool(excuses.ranges))
        if found.gone or unread:
            self._findings.notice(
                "content-gone",
                "Content is gone, as the record says; a full look counts what refers to it"
                if unread
                else f"The content of {found.gone} references is gone, as the record says",
                writer=self._writer.name,
            )

    def _more(self, references: dict[bytes, int], scopes: set[str], lowest: int | None) -> None:
        """Adds the references out of files that do not speak for themselves.

        Those are the segments that are not as they were signed; and, for content that is not in a
        file as it was signed, all that may refer to it.

        Args:
            references: Takes them.
            scopes: Of which something is not in such a file.
            lowest: The first line of content that is in none.
        """
        files = [file for file in self._files if file.kind == SEGMENTS]
        if lowest is None:
            files = [file for file in files if file.name not in self._vouched]
        elif lowest > self._listed.block:
            files = [
                file
                for file in files
                if file.name not in self._vouched or file.last > self._listed.record
            ]
        for each in self._refer(files) if self._refer and files else ():
            for reference, number in each.references.items():
                if each.name not in self._vouched or scope_of(reference) in scopes:
                    references.setdefault(reference, number)

    def _told(self, kind: str) -> list[dict[str, Any]]:
        """What this writer's events of a kind say."""
        return [
            detail
            for events in [*(each.events for each in self._cold), self._hot.events]
            for detail in details_of(events, kind)
        ]

    def _raws(self, numbers: set[int]) -> dict[int, bytes]:
        found = {n: self._hot.raws[n] for n in numbers if n in self._hot.raws}
        for file in self._files:
            rest = numbers.difference(found)
            if file.kind == SEGMENTS and rest:
                try:
                    found |= raws(self._shot.path, file, rest)
                except FileNotFoundError:
                    raise
                except Exception:  # noqa: BLE001, S112 - that it cannot be read has been said
                    continue
        return found

    def _describe(self, number: int) -> dict[str, str | int | None]:
        flow, time = _head(self._raws({number}).get(number, b""))
        file, at = self._hot.where.get(number, ("", -1))
        if not file:
            file = next(
                (
                    each.name
                    for each in self._files
                    if each.kind == SEGMENTS and each.first <= number <= each.last
                ),
                "",
            )
        return {
            "writer": self._writer.name,
            "seq": number,
            "flow_id": flow,
            "time": time,
            "file": file,
            "at": f"byte {at}" if at >= 0 else "",
        }

    def _start(self, number: int) -> bytes:
        """How a record begins."""
        heads = (each.heads[number] for each in self._cold if number in each.heads)
        return next(heads, b"") or self._raws({number}).get(number, b"")


def _head(raw: bytes) -> tuple[str, str]:
    """Flow and time of a record, as far as they can be read."""
    match = ENVELOPE.match(raw)
    flow = object_of(raw).get("flow_id") if raw else None
    return (flow if isinstance(flow, str) else "", match[5].decode() if match else "")


def _split(first: int, last: int, runs: Sequence[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """A run cut into parts that lie in one of the others, and parts that do not."""
    parts = []
    at = first
    for low, high in sorted(runs):
        if high < at or low > last:
            continue
        if low > at:
            parts.append((at, low - 1, False))
        parts.append((max(low, at), min(high, last), True))
        at = min(high, last) + 1
    if at <= last:
        parts.append((at, last, False))
    return parts

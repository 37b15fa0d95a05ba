"""Verifies a whole record."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from proctor.audit.store import CONTENT, SEGMENTS
from proctor.errors import ClientError
from proctor.evidence.keys import origin_of
from proctor.evidence.statement import Statement
from proctor.evidence.verify import shown
from proctor.evidence.verify.cold import Cold, Readers, read_all, seeded
from proctor.evidence.verify.columns import check_columns
from proctor.evidence.verify.copies import as_of
from proctor.evidence.verify.files import Listed, check_files, read_ledger
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.held import check_holds
from proctor.evidence.verify.hot import ENVELOPE, read_journals
from proctor.evidence.verify.said import Said
from proctor.evidence.verify.signed import SLACK, Sealed, SealedLog, moment, read_log
from proctor.evidence.verify.snapshot import SEED, File, Snapshot, take
from proctor.evidence.verify.trust import TrustedKey, trusted
from proctor.evidence.verify.writer import WriterCheck, WriterReport
from proctor.tlog.note import MAX_NOTE, VerifierKey, parse_note

# While a gateway is at work a file may go before it is read, and a problem may be none.
_TRIES = 20
_AGAIN = 2

type Progress = Callable[[str, int, int], None]
"""Told what is being done, how far it is, and how far it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be verified, and how.

    Attributes:
        record: The record's folder.
        key: Public key, 32 bytes, or None.
        kept: Checkpoints that were kept elsewhere: a name, and the text of the file.
        full: Compare columns and content with the records in every file, and not only where
            something does not fit what was signed: shows, too, what a writer got wrong before it
            signed.
        now: As of when promises are judged: now, or when a copy was made.
    """

    record: Path
    key: bytes | None = None
    kept: tuple[tuple[str, str], ...] = ()
    full: bool = False
    now: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found.

    Attributes:
        store: The record's name.
        keys: How many keys its trail has.
        full: Whether columns and content of every file were compared with the records.
        writers: Each of them.
        findings: What is wrong, and what is worth knowing.
    """

    store: str
    keys: int
    full: bool
    writers: list[WriterReport] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def _quiet(what: str, done: int, total: int) -> None:
    del what, done, total


def verify(asked: Asked, progress: Progress = _quiet) -> Report:
    """Verifies a record; one that is being written, too.

    Raises:
        ConfigurationError: Code `store-missing`.
        ClientError: Code `verify-unsettled`.
        OSError: A file is there and the disk does not give it.
    """
    before = _look(asked.record)
    with Readers(sum(size for name, size, _ in before if name.endswith(".parquet"))) as readers:
        for number in range(_TRIES):
            try:
                report = _Verifier(asked, progress, readers).run()
            except FileNotFoundError:  # merged or dropped while we looked
                continue
            finally:
                looked, before = before, _look(asked.record)
            again = number < _AGAIN and looked != before
            if not report.findings.problems or not again:
                return report
    raise ClientError(
        "verify-unsettled",
        "Files of the record come and go faster than they can be read",
        got=f"{_TRIES} attempts",
        hint="Verify a copy, made with `proctor record backup`.",
    )


def _look(path: Path) -> list[tuple[str, int, int]]:
    """All files with size and time: whether somebody is at work."""
    found = []
    for file in path.rglob("*"):
        try:
            seen = file.stat()
        except OSError:
            continue
        if "tmp" not in file.parts[len(path.parts) :]:
            found.append((str(file), seen.st_size, seen.st_mtime_ns))
    return sorted(found)


class _Verifier:
    """One look at a record."""

    def __init__(self, asked: Asked, progress: Progress, readers: Readers) -> None:
        self._asked = asked
        self._readers = readers
        self._progress = progress
        self._now = asked.now or datetime.now(UTC)
        self._findings = Findings()
        self._counted = 0
        # Whether what no checkpoint covers may explain what else would look wrong: the words of a
        # gateway that is running, or in a copy that was signed as a whole; not an unsigned copy's.
        self._last_words = False

    def run(self) -> Report:
        """Everything, in order."""
        asked, findings = self._asked, self._findings
        with ThreadPoolExecutor(1) as beside:
            views = beside.submit(shown.check_views, asked.record)
            shot = take(asked.record, findings)
            # A bundle's files are on no ledger, so that nothing but their records speaks for them.
            full = asked.full or shot.bundle is not None
            reading = self._read(shot, references=full)
            store_id = str(shot.note.get("id", ""))
            keys = trusted(asked.record, store_id, asked.key, findings)
            made = as_of(shot, store_id, keys, self._now, findings)
            self._now = min(made or self._now, self._now)
            self._last_words = made is not None or asked.now is None
            report = Report(store=store_id, keys=len(keys), full=full, findings=findings)
            logs = {
                name: read_log(
                    writer,
                    store_id=store_id,
                    keys=keys,
                    now=self._now,
                    findings=findings,
                )
                for name, writer in shot.writers.items()
            }
            kept = self._kept(shot, store_id, keys)
            listed = {
                name: read_ledger(writer, logs[name], findings)
                for name, writer in shot.writers.items()
            }
            self._writers(shot, listed)
            for name, of in listed.items():
                self._not_signed(name, of, logs[name])
            cold = reading()
            ended = {name for name, log in logs.items() if log.last and log.last.due is None}
            if shot.bundle is None:
                hashes = {name: each.sha256 for name, each in cold.items()}
                vouched = check_files(shot, listed, hashes, ended, findings)
            else:
                vouched = set()
            suspect = {file.name for file in shot.files if full or file.name not in vouched}
            self._columns(shot, suspect)
            hot = {
                name: read_journals(
                    writer,
                    running=self._running(logs[name]),
                    ended=name in ended,
                    findings=findings,
                )
                for name, writer in shot.writers.items()
            }
            events = [raw for each in cold.values() for raw in each.events]
            events += [raw for each in hot.values() for raw in each.events]
            said = Said.by(raw for raw in events if self._believed(raw, logs))
            check_holds(events, findings)
            for name, writer in shot.writers.items():
                part = WriterCheck(
                    shot,
                    writer,
                    logs[name],
                    kept.get(name, []),
                    listed[name],
                    cold,
                    hot[name],
                    vouched,
                    said,
                    findings,
                    self._blocks,
                    None if full else partial(self._refer, shot),
                )
                report.writers.append(part.run())
                doubtful = {
                    file.name
                    for file in shot.files
                    for first, end in part.doubtful
                    if file.writer == name and file.first < end and file.last >= first
                }
                self._columns(shot, doubtful - suspect)
            _merge(findings, views.result())
        return report

    def _blocks(self, count: int) -> None:
        self._counted += count
        self._progress("content", self._counted, self._counted)

    def _not_signed(self, name: str, listed: Listed, log: SealedLog) -> None:
        """What went just now counts as gone; the next checkpoint says so, or that is a problem."""
        fresh = listed.unsigned_drops - listed.dropped
        if fresh and self._last_words and self._running(log):
            listed.dropped |= fresh
            self._findings.notice(
                "drops-not-covered",
                f"What went of {len(fresh)} files is not under a checkpoint yet",
                writer=name,
            )

    def _believed(self, raw: bytes, logs: dict[str, SealedLog]) -> bool:
        """Whether an event may explain what is missing."""
        match = ENVELOPE.match(raw)
        log = logs.get(match[2].decode()) if match else None
        covered = log.last.size if log and log.last else 0
        return self._last_words or (match is not None and int(match[3]) < covered)

    def _running(self, log: SealedLog) -> bool:
        """Whether a gateway may be writing right now."""
        last = log.last
        return last is not None and last.due is not None and self._now <= last.due + SLACK

    def _read(self, shot: Snapshot, *, references: bool) -> Callable[[], dict[str, Cold]]:
        """Begins to read the files; gives what waits for what is in them."""
        total = sum((shot.path / file.name).stat().st_size for file in shot.files)
        done = 0

        def tick(size: int) -> None:
            nonlocal done
            done += size
            self._progress("files", done, total)

        seeds = [f"{kind}/{SEED}" for kind in (SEGMENTS, CONTENT)]
        say = seeded(self._readers, shot.path, seeds, self._findings)
        reading = read_all(self._readers, shot.path, shot.files, tick, references=references)

        def wait() -> dict[str, Cold]:
            say()
            return self._cold(shot, reading)

        return wait

    def _cold(self, shot: Snapshot, reading: Iterable[Cold]) -> dict[str, Cold]:
        found = {each.name: each for each in reading}
        for file in shot.files:
            if found[file.name].error:
                self._findings.problem(
                    "file-unreadable",
                    "A file cannot be read",
                    writer=file.writer,
                    file=file.name,
                    found=found[file.name].error,
                )
            if file.writer not in shot.writers:
                self._findings.problem(
                    "writer-missing",
                    "A file is of a writer that is not there",
                    writer=file.writer,
                    file=file.name,
                )
        return found

    def _refer(self, shot: Snapshot, files: Sequence[File]) -> Iterator[Cold]:
        """Reads the references to content in files."""
        return read_all(self._readers, shot.path, files, lambda _: None, references=True)

    def _columns(self, shot: Snapshot, names: set[str]) -> None:
        files = [file for file in shot.files if file.kind == SEGMENTS and file.name in names]
        total = sum(file.last + 1 - file.first for file in files)
        done = 0

        def tick(rows: int) -> None:
            nonlocal done
            done += rows
            self._progress("columns", done, total)

        check_columns(shot.path, files, self._findings, tick)

    def _writers(self, shot: Snapshot, listed: dict[str, Listed]) -> None:
        for name, of in listed.items():
            for other in sorted(of.writers - set(shot.writers)):
                self._findings.problem(
                    "writer-missing",
                    "A writer that another one saw is not there",
                    writer=other,
                    file=f"writers/{name}/ledger.jsonl",
                )
        for name, writer in shot.writers.items():
            if writer.retired is not None:
                try:
                    said = json.loads(writer.retired)
                    why, since = str(said["why"]), str(said["since"])
                except (ValueError, KeyError, TypeError, RecursionError):
                    why, since = "what it says cannot be read", ""
                self._findings.problem(
                    "writer-retired",
                    "The gateway let a writer rest, because its record was not what was signed",
                    writer=name,
                    time=since,
                    file=f"writers/{name}/retired.json",
                    found=why,
                )

    def _kept(
        self, shot: Snapshot, store_id: str, keys: Sequence[TrustedKey]
    ) -> dict[str, list[Sealed]]:
        """Checkpoints from elsewhere, by writer."""
        found: dict[str, list[Sealed]] = {}
        for name, text in self._asked.kept:
            for note in _notes(text):
                said = self._foreign(name, note, store_id, keys)
                if said is None:
                    continue
                writer = said.origin.rpartition("/")[2]
                if writer not in shot.writers:
                    self._findings.problem(
                        "writer-missing",
                        "A checkpoint that was kept is of a writer that is not there",
                        writer=writer,
                        file=name,
                        expected=f"{said.size} records",
                    )
                    continue
                found.setdefault(writer, []).append(Sealed(statement=said, where=name, good=True))
        return found

    def _foreign(
        self, name: str, note: str, store_id: str, keys: Sequence[TrustedKey]
    ) -> Statement | None:
        """A kept checkpoint, if it is this record's and signed."""
        try:
            parsed = parse_note(note)
            said = Statement.parse(parsed.text)
        except ClientError as error:
            self._findings.problem(
                "checkpoint-unreadable",
                "A kept checkpoint cannot be read",
                file=name,
                found=error.got,
            )
            return None
        writer = said.origin.rpartition("/")[2]
        if said.origin != origin_of(store_id, writer):
            self._findings.problem(
                "checkpoint-foreign",
                "A kept checkpoint is another record's",
                file=name,
                found=said.origin,
                expected=origin_of(store_id, writer),
            )
            return None
        if not any(parsed.signed_by(VerifierKey(said.origin, key.public)) for key in keys):
            self._findings.problem(
                "signature-wrong",
                "A kept checkpoint is not signed by a key of the record",
                writer=writer,
                file=name,
                time=moment(said.time),
            )
            return None
        return said


def _notes(text: str) -> list[str]:
    """The notes in a file: one as it is, or many as JSON strings, one a line."""
    if not text.startswith('"'):
        return [text]
    found = []
    for line in text.splitlines():
        try:
            note = json.loads(line)
        except (ValueError, RecursionError):
            note = ""
        found.append(note[: MAX_NOTE + 1] if isinstance(note, str) else "")
    return found


def _merge(findings: Findings, more: Findings) -> None:
    findings.listed += more.listed
    findings.counts += more.counts

"""`proctor verify`: is a record what was written? From its files and a public key alone."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proctor.audit.store import Store
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render, visible
from proctor.errors import ClientError, ConfigurationError
from proctor.evidence import cosigned, heads
from proctor.evidence.countersigned import lacking
from proctor.evidence.keys import KEY_FILE, origin_of_keys, read_key, read_trail
from proctor.evidence.verify.findings import MOST, Finding, Level
from proctor.evidence.verify.trust import parse_key
from proctor.evidence.verify.verifier import Asked, Progress, Report
from proctor.evidence.verify.verifier import verify as verify_record
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import CosignerKey, Policy
from proctor.tlog.note import VerifierKey, parse_note
from proctor.tlog.prooffile import HEADER, MAX_INCLUSION, ConsistencyFile, InclusionFile

if TYPE_CHECKING:
    from proctor.settings import Config

COLUMNS = ("writer", "records", "proved", "first", "last", "checkpoints", "sealed", "key")
_MAX_FILE = 2**28
_MAX_KEY = 4096


def verify(  # noqa: PLR0913 - its options
    record: Annotated[
        Path | None,
        typer.Argument(help="The record's folder, or a copy of it; left out: of proctor.yaml."),
    ] = None,
    *,
    key: Annotated[
        str,
        typer.Option(
            help="Public key of the record: as --print-key shows it, PEM, or a file of it."
        ),
    ] = "",
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be given several times."),
    ] = None,
    proof: Annotated[Path | None, typer.Option(help="Check this proof, and nothing else.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            help="When the copy was made, UTC: what was promised for later is not missed.",
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Compare all columns and content with the records, not only where something is"
            " not as it was signed.",
        ),
    ] = False,
    witnessed: Annotated[
        int,
        typer.Option(
            "--cosigned",
            min=0,
            help="All of it is to have been seen by so many of the witnesses of --witness-key.",
        ),
    ] = 0,
    witness_key: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file with a witness's key, as `proctor witness show` prints it; may be given"
            " several times.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Notices count as problems.")] = False,
    print_key: Annotated[
        bool, typer.Option("--print-key", help="Print the public key, to be kept elsewhere.")
    ] = False,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """Check that a record is what was written: nothing changed, taken out, put in or cut off.

    Needs the record's files and its public key, and nothing else. Exit status 1 if anything is
    wrong.

    \b
    proctor verify --print-key > record-key.vkey     # keep this elsewhere
    proctor verify recordings --key record-key.vkey
    proctor verify recordings --key record-key.vkey --cosigned 1 --witness-key witness.vkey
    """  # noqa: D301 - \b keeps typer from joining the lines
    witnesses = _witnesses(witnessed, witness_key or [], alone=proof is None and not print_key)
    public = parse_key(_key_text(key)) if key else None
    kept = [(str(path), _text(path, _MAX_FILE)) for path in checkpoint or ()]
    if proof is not None:
        _prove(_text(proof, MAX_INCLUSION), public, [text for _, text in kept])
        return
    if record is None:
        from proctor.config import load  # noqa: PLC0415 - as long as all else; a copy needs none

        own = asked_of(load(config))
        record, public = own.record, public or own.key
        kept += own.kept
    if print_key:
        _print_key(record)
        return
    asked = Asked(
        record=record,
        key=public,
        kept=tuple(kept),
        full=full,
        now=as_of.replace(tzinfo=UTC) if as_of else None,
    )
    with _progress() as progress:
        report = verify_record(asked, progress)
    if witnesses:
        _countersigned(record, witnesses, report)
    _show(report, output, strict=strict)
    findings = report.findings
    raise typer.Exit(1 if findings.problems or (strict and findings.notices) else 0)


def _witnesses(needed: int, files: list[Path], *, alone: bool) -> Policy | None:
    if not needed and not files:
        return None
    keys = tuple(CosignerKey.parse(_text(path, _MAX_KEY)) for path in files)
    try:
        policy = Policy(keys=keys, needed=needed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--cosigned, --witness-key") from None
    if not alone:
        raise typer.BadParameter("for a whole record", param_hint="--cosigned")
    return policy


def _countersigned(record: Path, policy: Policy, report: Report) -> None:
    for lack in lacking(record, policy):
        report.findings.problem(
            "cosignatures-missing",
            "Too few witnesses have seen all of it",
            writer=lack.writer,
            file=f"writers/{lack.writer}/{cosigned.NAME}",
            expected=f"{lack.expected}, of {lack.records} records",
            found=f"{lack.got}; enough of the first {lack.seen}",
        )


def asked_of(settings: "Config") -> Asked:
    """What is known where the gateway runs: its key, and the checkpoints it keeps elsewhere."""
    own = settings.state / KEY_FILE
    return Asked(
        record=settings.audit.path,
        key=read_key(own).public_key().public_bytes_raw() if own.exists() else None,
        kept=tuple(_heads(settings.state, settings.audit.path)),
    )


def _key_text(key: str) -> str:
    """What was given, or what stands in the file that was named."""
    path = Path(key)
    if len(key) < _MAX_KEY and not key.startswith("-----BEGIN") and path.is_file():
        return _text(path, _MAX_KEY)
    return key


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as source:
            data = source.read(most + 1)
        if len(data) <= most:
            return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "verify-file-unreadable",
            "A file cannot be read",
            got=type(error).__name__,
            where=str(path),
        ) from None
    raise ConfigurationError(
        "verify-file-unreadable",
        "A file is too large",
        got=f"more than {most} bytes",
        where=str(path),
    )


def _heads(state: Path, record: Path) -> list[tuple[str, str]]:
    """The checkpoints that the gateway keeps away from the record."""
    folder = state / heads.FOLDER
    prefix = f"proctor_{Store.at(record).id()}_" if (record / "store.json").exists() else ""
    paths = sorted(folder.glob(f"{prefix}*.note")) if prefix and folder.is_dir() else []
    return [(str(path), _text(path, _MAX_FILE)) for path in paths]


def _print_key(record: Path) -> None:
    store_id = Store.at(record).id()
    steps = read_trail(record, store_id)
    if not steps:
        raise ClientError(
            "key-trail-broken",
            "The record has no key yet",
            expected="a gateway that has run once",
        )
    typer.echo(str(VerifierKey(origin_of_keys(store_id), steps[-1].public)))
    typer.echo(
        "Keep it where those who run the gateway cannot change it: with it, and the record's files,"
        " anybody can run `proctor verify`.",
        err=True,
    )


def _prove(text: str, public: bytes | None, older: list[str]) -> None:
    """Checks a proof file."""
    if public is None:
        raise ConfigurationError(
            "verify-key-missing",
            "A proof is checked with the record's public key",
            expected="--key",
        )
    if text.startswith(HEADER):
        file = InclusionFile.parse(text)
        origin = Checkpoint.parse(file.note.text).origin
        found = file.check(VerifierKey(origin, public))
        typer.echo(f"Record {file.index} is in {visible(origin)}, under a tree of {found.size}:")
        typer.echo(visible((file.extra or b"").decode("utf-8", "replace")))
        return
    growth = ConsistencyFile.parse(text)
    origin = Checkpoint.parse(growth.note.text).origin
    if len(older) != 1:
        raise ConfigurationError(
            "verify-checkpoint-missing",
            "A proof of consistency leads from a checkpoint that you have kept",
            expected="that one, as --checkpoint",
        )
    found = growth.check(VerifierKey(origin, public), parse_note(older[0]))
    typer.echo(f"{visible(origin)} has only grown, from {growth.old} to {found.size} records.")


def _show(report: Report, output: OutputFormat | None, *, strict: bool) -> None:
    findings = report.findings
    whole = not findings.problems and not (strict and findings.notices)
    if output is OutputFormat.JSON or (output is None and not sys.stdout.isatty()):
        json.dump(
            {
                "whole": whole,
                "problems": findings.problems,
                "notices": findings.notices,
                "store": report.store,
                "full": report.full,
                "writers": [asdict(each) for each in report.writers],
                "findings": [_row(each) for each in findings.listed],
            },
            sys.stdout,
            indent=2,
        )
        sys.stdout.write("\n")
        return
    render([asdict(each) for each in report.writers], COLUMNS, output)
    if output is OutputFormat.CSV:
        return
    for each in sorted(findings.listed, key=lambda one: one.level is Level.NOTICE):
        typer.echo(visible(_sentence(each)))
    hidden = findings.problems + findings.notices - len(findings.listed)
    if hidden:
        typer.echo(f"… and {hidden} more; {MOST} of a kind are listed.")
    said = "1 problem" if findings.problems == 1 else f"{findings.problems} problems"
    if findings.problems:
        typer.echo(f"NOT whole: {said}")
    else:
        notices = "1 notice" if findings.notices == 1 else f"{findings.notices} notices"
        noted = f", {notices}" if findings.notices else ""
        typer.echo(("whole" if whole else "NOT whole") + noted)


def _row(finding: Finding) -> dict[str, Any]:
    return {name: value for name, value in asdict(finding).items() if value not in {"", None}}


def _sentence(finding: Finding) -> str:
    place = " ".join(
        part
        for part in (
            finding.writer,
            f"record {finding.seq}" if finding.seq is not None else "",
            f"flow {finding.flow_id}" if finding.flow_id else "",
            finding.time,
            f"{finding.file}, {finding.at}" if finding.at else finding.file,
        )
        if part
    )
    parts = [f"{finding.level} [{finding.code}] {finding.what}"]
    if place:
        parts.append(f"    at: {place}")
    if finding.expected:
        parts.append(f"    expected: {finding.expected}")
    if finding.found:
        parts.append(f"    found: {finding.found}")
    return "\n".join(parts)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Shows on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is somebody to see it
    from rich.progress import Progress as Bars  # noqa: PLC0415 - the same

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield tell

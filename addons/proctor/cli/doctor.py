"""`proctor doctor`: what is wrong with an installation, and how to mend it."""

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import typer

from proctor.audit.store import Store
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render
from proctor.cli.verify import asked_of
from proctor.config import Config
from proctor.errors import ConfigurationError
from proctor.evidence.verify.findings import Level
from proctor.evidence.verify.verifier import verify
from proctor.identity.fetch import HttpFetch
from proctor.runtime import checkup
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.deciders import approvals_findings
from proctor.runtime.evidence import evidence_findings
from proctor.runtime.exporting import exports_findings
from proctor.runtime.keeping import keeping_findings
from proctor.runtime.probe import redaction
from proctor.runtime.reach import look_around

# What a gateway that was killed leaves behind, or one that has not run yet.
_UNENDED = frozenset({"ended-unannounced", "not-signed", "key-trail-missing"})

# What a record is that is older than what was signed.
_OLDER = frozenset({"truncated", "rolled-back", "writer-retired"})

COLUMNS = ("state", "check", "what", "mend")


def doctor(*, config: ConfigOption = CONFIG, output: FormatOption = None) -> None:
    """Find what is wrong with an installation, and how to mend it.

    Nothing is changed, and no secret is shown. Exit status 1 if something failed.
    """
    findings = examine(config)
    render([asdict(finding) for finding in findings], COLUMNS, output)
    raise typer.Exit(1 if checkup.worst(findings) is State.FAIL else 0)


def examine(file: Path) -> list[Finding]:
    """Look at everything."""
    config, finding = checkup.configuration(file)
    findings = [checkup.python(), checkup.user(), finding]
    if config is None:
        return findings
    findings += [
        checkup.rules(config),
        *redaction(config),
        *approvals_findings(config),
        *checkup.names(config),
        *checkup.trust(config),
        *checkup.permissions(config, file),
        *checkup.certificates(config, checkup.utc_now()),
        record(config),
        *evidence_findings(config, checkup.utc_now()),
        *keeping_findings(config),
        *exports_findings(config, checkup.utc_now()),
        checkup.disk(config),
        checkup.open_files(config),
        *asyncio.run(_around(config)),
        *checkup.surroundings(config, os.environ),
    ]
    return findings


def record(config: Config) -> Finding:
    """Can the record be opened, and is it what was signed?"""
    store = Store(path=config.audit.path)
    if not (store.path / "store.json").exists():
        return Finding(check="record", state=State.OK, what="There is none yet")
    try:
        store.check()
        report = verify(asked_of(config))
    except ConfigurationError as error:
        return failed("record", error)
    problems = [each for each in report.findings.listed if each.level is Level.PROBLEM]
    wrong = next((each for each in problems if each.code not in _UNENDED), None)
    count = sum(each.records for each in report.writers)
    if wrong is not None:
        where = " ".join(str(part) for part in (wrong.writer, wrong.seq) if part not in {"", None})
        return Finding(
            check="record",
            state=State.FAIL,
            what=f"The record is not whole: {wrong.what}: {where or wrong.file}",
            mend=(
                "If you restored a backup, it must be so, and stays so: docs/backup.md. Else: "
                if wrong.code in _OLDER
                else ""
            )
            + "Keep the folder as evidence; `proctor verify` says more, and docs/evidence.md"
            " what to do.",
        )
    if problems:
        return Finding(
            check="record",
            state=State.WARN,
            what=f"{store.path}: {count} records; {problems[0].what.lower()}",
            mend="Start the gateway: it goes on, and says so in the record.",
        )
    return Finding(check="record", state=State.OK, what=f"{store.path}: {count} records, whole")


async def _around(config: Config) -> list[Finding]:
    fetch = HttpFetch()
    try:
        return await look_around(config, fetch=fetch, environment=os.environ, now=checkup.utc_now)
    finally:
        await fetch.close()

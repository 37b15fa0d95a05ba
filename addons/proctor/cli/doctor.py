"""`proctor doctor`: what is wrong with an installation, and how to mend it."""

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import typer

from proctor.audit.store import Store
from proctor.audit.verify import verify_chain
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render
from proctor.config import Config
from proctor.errors import ConfigurationError
from proctor.identity.fetch import HttpFetch
from proctor.runtime import checkup
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.deciders import approvals_findings
from proctor.runtime.probe import redaction
from proctor.runtime.reach import look_around

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
        checkup.disk(config),
        checkup.open_files(config),
        *asyncio.run(_around(config)),
        *checkup.surroundings(config, os.environ),
    ]
    return findings


def record(config: Config) -> Finding:
    """Can the record be opened, and is every writer's chain whole?"""
    store = Store(path=config.audit.path)
    if not store.path.exists():
        return Finding(check="record", state=State.OK, what="There is none yet")
    try:
        store.check()
        chains = verify_chain(store.path) if store.views.exists() else ()
    except ConfigurationError as error:
        return failed("record", error)
    problems = [problem for chain in chains for problem in chain.problems]
    if problems:
        return Finding(
            check="record",
            state=State.FAIL,
            what=f"The chain of records is broken: {problems[0]}",
            mend="Somebody or something changed the record: keep the folder as evidence, and start"
            " with a new `audit.path`.",
        )
    count = sum(chain.records for chain in chains)
    return Finding(
        check="record", state=State.OK, what=f"{store.path}: {count} records, every chain whole"
    )


async def _around(config: Config) -> list[Finding]:
    fetch = HttpFetch()
    try:
        return await look_around(config, fetch=fetch, environment=os.environ, now=checkup.utc_now)
    finally:
        await fetch.close()

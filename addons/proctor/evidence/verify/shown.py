"""What SQL shows: do views, bounds and the list of open flows tell what the record holds?"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proctor.audit import views
from proctor.audit.envelope import GENESIS
from proctor.audit.segments import Workshop
from proctor.audit.state import FOREVER, LEVELS, OPEN, Bounds, State
from proctor.audit.store import CONTENT, SEGMENTS, Store
from proctor.evidence.verify.files import Listed
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import ENVELOPE, Hot
from proctor.evidence.verify.snapshot import File, WriterFiles
from proctor.evidence.verify.trees import Checked, Leaves
from proctor.tlog.tree import HASH_SIZE, leaf_hash

_ROOT = re.compile(r"'((?:[^']|'')*)/writers/\*/state\.json'")

# What a writer's state.json says, in its order; a name that was changed would hide the rest.
_STATE = ("writer", "leaf", "peaks", "levels", "tiers")
_ANYWHERE = "/record"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def read_levels(writer: WriterFiles) -> dict[str, list[int]] | None:
    """The bounds in a writer's state.json; None where they cannot be read."""
    try:
        said = json.loads(writer.state or b"")
        levels = {
            kind: [int(last) for last in said["levels"][kind]] for kind in (SEGMENTS, CONTENT)
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    right = all(
        len(each) == LEVELS and each == sorted(each, reverse=True) for each in levels.values()
    )
    return (
        levels
        if right and all(-1 <= last < FOREVER for each in levels.values() for last in each)
        else None
    )


def check_state(  # noqa: PLR0913 - what it takes, by name
    writer: WriterFiles,
    *,
    files: Sequence[File],
    listed: Listed,
    hot: Hot,
    leaves: Leaves,
    checked: Checked,
    findings: Findings,
) -> None:
    """Checks the bounds by which views choose where to read a record from, and the open flows."""
    file = f"writers/{writer.name}/state.json"
    levels = read_levels(writer)
    if levels is None:
        findings.problem(
            "state-wrong", "The bounds of the views cannot be read", writer=writer.name, file=file
        )
        return
    said: dict[str, Any] = json.loads(writer.state or b"")
    tiers = [
        {"kind": kind, "tier": tier, "above": above, "upto": upto}
        for kind in (SEGMENTS, CONTENT)
        for tier, above, upto in Bounds(levels[kind]).rows()
    ]
    tiers.append({"kind": SEGMENTS, "tier": OPEN, "above": -1, "upto": FOREVER})
    wrong = "" if said.get("tiers") == tiers and said.get("writer") == writer.name else "its tiers"
    made = json.dumps(said, separators=(",", ":")).encode()
    if tuple(said) != _STATE or set(said["levels"]) != {SEGMENTS, CONTENT} or made != writer.state:
        wrong = wrong or "its form"
    last = levels[SEGMENTS][0]
    if last >= leaves.size:
        wrong = wrong or "records that are not there"
    elif last >= 0:
        leaf = leaves.array[last * HASH_SIZE : (last + 1) * HASH_SIZE].hex()
        peaks = said.get("peaks")
        wrong = wrong or ("" if said.get("leaf") == leaf else "its last leaf")
        if peaks and checked.peaks is not None and peaks != [each.hex() for each in checked.peaks]:
            wrong = wrong or "its tree"
    elif said.get("leaf") != GENESIS or said.get("peaks"):
        wrong = wrong or "a tree without records"
    for kind in (SEGMENTS, CONTENT):
        numbers = hot.leaves if kind == SEGMENTS else hot.blocks
        wrong = wrong or _hidden(kind, levels[kind], files, listed, set(numbers))
    if wrong:
        findings.problem(
            "state-wrong",
            "The bounds of the views are not what the files are: SQL would hide or double records",
            writer=writer.name,
            file=file,
            found=wrong,
        )
    _check_open(writer, leaves, findings)


def _hidden(
    kind: str, levels: Sequence[int], files: Sequence[File], listed: Listed, hot: set[int]
) -> str:
    """What the bounds would hide, or nothing."""
    edges = [*levels, -1]
    for level in range(LEVELS):
        at = edges[level + 1] + 1
        runs = [
            (each.first, each.last) for each in files if each.kind == kind and each.level == level
        ]
        runs += [span(name) for name in listed.dropped if name.startswith(f"{kind}/")]
        for first, last in sorted(runs):
            if first <= at <= last:
                at = last + 1
        if at <= edges[level]:
            return f"{kind}: nothing of level {level} holds number {at}"
    last = max(hot, default=-1)
    if any(number not in hot for number in range(levels[0] + 1, last + 1)):
        return f"{kind}: no journal holds all after {levels[0]}"
    return ""


def span(name: str) -> tuple[int, int]:
    """First and last number that a file's name covers."""
    first, last = name.removesuffix(".parquet").split("-")[-2:]
    return int(first), int(last)


def _check_open(writer: WriterFiles, leaves: Leaves, findings: Findings) -> None:
    for number, line in enumerate(writer.opened.split(b"\n")[:-1], 1):
        match = ENVELOPE.match(line)
        seq = int(match[3]) if match else -1
        at = seq * HASH_SIZE
        right = (
            match is not None
            and match[1] == b"flow.begin"
            and match[2].decode() == writer.name
            and seq < leaves.size
            and leaves.array[at : at + HASH_SIZE] == leaf_hash(line)
        )
        if not right:
            findings.problem(
                "open-wrong",
                "An open flow that SQL shows is not a record",
                writer=writer.name,
                seq=seq if match else None,
                file=f"writers/{writer.name}/open.jsonl",
                at=f"line {number}",
            )
    if writer.opened and not writer.opened.endswith(b"\n"):
        findings.problem(
            "open-wrong",
            "The list of open flows is cut off",
            writer=writer.name,
            file=f"writers/{writer.name}/open.jsonl",
        )


def check_views(path: Path) -> Findings:
    """Compares audit.duckdb with what this version makes."""
    import duckdb  # noqa: PLC0415 - some 100 ms

    findings = Findings()
    note, stored = path / "views.sql", path / "audit.duckdb"
    if not note.exists() and not stored.exists():
        return findings
    try:
        text = note.read_text("ascii")
        match = _ROOT.search(text)
        root = match[1].replace("''", "'") if match else ""
        made = (";\n".join(views.statements(Path(root))) + ";\n") if root else ""
        with duckdb_file(stored) as database:
            found = _views_of(database)
    except (duckdb.Error, OSError, ValueError) as error:
        findings.problem(
            "views-unreadable",
            "The views cannot be read",
            file="audit.duckdb",
            found=type(error).__name__,
            expected="what the gateway makes at its next start",
        )
        return findings
    there = views.quote(root)[1:-1]
    expected = {name: sql.replace(f"'{_ANYWHERE}/", f"'{there}/") for name, sql in _made().items()}
    if text != made:
        findings.problem(
            "views-differ",
            "The views were made by another version, or changed",
            file="views.sql",
            expected="the text that this version writes",
        )
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            findings.problem(
                "views-differ",
                "A view does not show what it should",
                file="audit.duckdb",
                at=name,
                expected="as this version makes it" if name in expected else "nothing",
                found="another definition" if name in found else "none",
            )
    return findings


@lru_cache(maxsize=1)
def _made() -> dict[str, str]:
    """What the gateway would make of a record at /record.

    Made for a small record that is there for this, and read back from a file: DuckDB writes
    definitions anew when it does that.
    """
    with TemporaryDirectory(prefix="proctor-verify-") as folder:
        store = Store.at(Path(folder) / "record")
        tmp = store.writers / "w0" / "tmp"
        for each in (store.segments, store.content, tmp):
            each.mkdir(parents=True)
        State(writer="w0").write(tmp.parent, tmp)
        for name in ("0.jsonl", "open.jsonl"):
            (tmp.parent / name).touch()
        workshop = Workshop(store, tmp)
        try:
            workshop.seed()
            workshop.publish_views()
        finally:
            workshop.close()
        here = views.quote(str(store.path))[1:-1]
        with duckdb_file(store.views) as database:
            return {
                name: sql.replace(f"'{here}/", f"'{_ANYWHERE}/")
                for name, sql in _views_of(database).items()
            }


def duckdb_file(path: Path) -> Any:
    """A database to be read and nothing else."""
    import duckdb  # noqa: PLC0415 - some 100 ms

    return duckdb.connect(str(path), read_only=True, config=_CONFIG)


def _views_of(database: Any) -> dict[str, str]:
    """Definitions of all that is in a database and did not come with DuckDB."""
    rows = database.execute(
        """SELECT view_name, sql FROM duckdb_views() WHERE NOT internal
        UNION ALL SELECT 'table ' || table_name, coalesce(sql, '')
            FROM duckdb_tables() WHERE NOT internal
        UNION ALL SELECT 'macro ' || function_name, coalesce(macro_definition, '')
            FROM duckdb_functions() WHERE NOT internal
        UNION ALL SELECT 'schema ' || schema_name, '' FROM duckdb_schemas()
            WHERE NOT internal AND schema_name <> 'main'"""
    ).fetchall()
    return dict(rows)

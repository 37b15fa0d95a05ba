"""Habits of the repository itself."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from tests.support.installation import REPOSITORY

PACKAGE = REPOSITORY / "addons/proctor"
# In two halves, or this file would find itself.
HOSTS = [
    first + second
    for first, second in [
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("deb.de", "bian.org"),
        ("archive.ub", "untu.com"),
    ]
]
MACHINE_PATHS = re.compile(r"(?<![\w.}~-])/(?:work|root|tmp/w)/")
LONGEST = 550
COVERED_ELSEWHERE = {
    "approval/store.py": "tests/approval/test_sqlite.py",
    "cli/run.py": "tests/e2e",
    "console/house.py": "tests/console/test_app.py",
    "gateparts.py": "tests/test_gate.py",
    "postgres/back.py": "tests/postgres/test_front.py",
    "postgres/cards.py": "tests/postgres/test_session.py",
    "postgres/holding.py": "tests/postgres/test_session.py",
    "postgres/house.py": "tests/postgres/test_assembly.py",
    "postgres/judging.py": "tests/postgres/test_front.py",
    "postgres/refusals.py": "tests/postgres/test_front.py",
    "postgres/restoring.py": "tests/postgres/test_masked.py",
    "postgres/sessions.py": "tests/postgres/test_session.py",
    "postgres/statements.py": "tests/postgres/test_front.py",
    "postgres/weighing.py": "tests/postgres/test_novelty.py",
    "runtime/gateway.py": "tests/e2e",
    "runtime/http1.py": "tests/runtime/test_mitm.py",
    "runtime/launcher.py": "tests/e2e",
    "runtime/quick.py": "tests/runtime/test_mitm.py",
    "runtime/reception.py": "tests/e2e",
    "policy/recordedfields.py": "tests/policy/test_recorded.py",
    "runtime/spooling.py": "tests/stages/test_git_closed.py",
    "runtime/streams.py": "tests/stages/test_toolgate.py",
    "stages/refusing.py": "tests/stages/test_suite.py",
}


def committed() -> Iterator[Path]:
    """Files that are, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    for name in listed.stdout.split("\0"):
        path = REPOSITORY / name
        assert not path.is_symlink(), f"{name}: a link leads somewhere else on each machine"
        if name and path.is_file():
            yield path


def test_no_package_of_others_lies_here() -> None:
    installed = [path for path in committed() if {"node_modules", "site-packages"} & {*path.parts}]
    assert not installed


def test_no_registry_and_no_machine_is_named() -> None:
    for path in committed():
        text = path.read_text(errors="replace")
        for host in HOSTS:
            assert host not in text, path
        assert not (found := MACHINE_PATHS.search(text)), f"{path}: {found}"


def test_the_licence_is_there() -> None:
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()


def test_every_source_file_has_its_test() -> None:
    missing = []
    for source in sorted(PACKAGE.rglob("*.py")):
        inside = source.relative_to(PACKAGE)
        mirrored = f"tests/{inside.parent}/test_{inside.name}"
        test = COVERED_ELSEWHERE.get(str(inside), mirrored)
        if inside.name != "__init__.py" and not (REPOSITORY / test).exists():
            missing.append(mirrored)
    assert missing == []


def test_no_file_is_long() -> None:
    found = {
        path: len(path.read_text().splitlines()) for path in committed() if path.suffix == ".py"
    }
    assert {path: lines for path, lines in found.items() if lines > LONGEST} == {}


def test_what_runs_alone_is_where_make_test_looks_for_it() -> None:
    mark = "mark." + "alone"  # in two halves, or this file would find itself
    marked = [each for each in REPOSITORY.glob("tests/**/*.py") if mark in each.read_text()]
    assert marked
    assert {each.relative_to(REPOSITORY).parts[1] for each in marked} == {"e2e"}


def test_the_shipped_rules_load() -> None:
    load_policy(REPOSITORY / "rules", features=Features())


def test_the_lock_holds_every_dependency_with_a_hash() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = {"run": project["project"]["dependencies"]}
    wanted["dev"] = wanted["run"] + project["dependency-groups"]["dev"]
    wanted["ner"] = project["project"]["optional-dependencies"]["ner"]
    for name, lines in wanted.items():
        text = (REPOSITORY / f"requirements/{name}.txt").read_text()
        locked: dict[str, list[Requirement]] = {}
        for entry in text.replace("\\\n", " ").splitlines():
            assert "--hash=sha256:" in entry
            pinned = Requirement(entry.split(" --hash")[0])
            locked.setdefault(canonicalize_name(pinned.name), []).append(pinned)
        for line in lines:
            needed = Requirement(line)
            pins = locked.get(canonicalize_name(needed.name), [])
            pins = [pin for pin in pins if not pin.marker or pin.marker.evaluate()]
            assert pins, f"{name}.txt lacks {needed.name}; run `make lock`"
            if not needed.marker or needed.marker.evaluate():
                version = str(pins[0].specifier).removeprefix("==")
                assert needed.specifier.contains(version), needed


def test_both_locks_agree() -> None:
    run, dev = (
        set(
            re.findall(
                r"^[a-z].*", (REPOSITORY / f"requirements/{name}.txt").read_text(), re.MULTILINE
            )
        )
        for name in ("run", "dev")
    )
    assert run <= dev


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/check", "scripts/lock", "scripts/setup", "scripts/setup-npm"]
)
def test_a_script_can_be_run(script: str) -> None:
    assert os.access(REPOSITORY / script, os.X_OK)
    assert (REPOSITORY / script).read_text().startswith("#!/usr/bin/env bash\n")

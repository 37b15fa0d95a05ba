"""What can be wrong with an installation, looked at on this machine."""

import os
import resource
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.runtime import checkup
from proctor.runtime.checkup import Finding, State
from proctor.testing import tls

CONFIG = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:0
    upstream: https://127.0.0.1:9
    speaks: anthropic
identity: {issuers: [{issuer: "https://idp.internal", audience: proctor}]}
"""
RULES = """\
rules:
  - {id: a, on: llm.request, then: allow}
"""
Version = namedtuple("Version", "major minor micro")  # noqa: PYI024 - as sys.version_info is


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir(mode=0o700)
    (tmp_path / "recordings").mkdir(mode=0o700)
    (tmp_path / "rules" / "a.yaml").write_text(RULES)
    (tmp_path / "proctor.yaml").write_text(CONFIG)
    return tmp_path


def config(house: Path, more: str = "") -> Config:
    (house / "proctor.yaml").write_text(CONFIG + more)
    return load(house / "proctor.yaml")


def states(findings: list[Finding]) -> list[State]:
    return [finding.state for finding in findings]


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkup.python().state is State.OK
    monkeypatch.setattr(sys, "version_info", Version(3, 11, 9))
    assert checkup.python() == Finding(
        check="python", state=State.FAIL, what="Python 3.11.9", mend="Install Python 3.12 or newer."
    )


def test_configuration(house: Path) -> None:
    loaded, finding = checkup.configuration(house / "proctor.yaml")
    assert loaded is not None
    assert finding.state is State.OK
    (house / "proctor.yaml").write_text("schema_version: 2\n")
    loaded, finding = checkup.configuration(house / "proctor.yaml")
    assert loaded is None
    assert finding.state is State.FAIL
    assert finding.what.startswith(f"{house / 'proctor.yaml'}:1: The file is of a newer proctor")
    assert "Install a newer proctor" in finding.mend


def test_rules(house: Path) -> None:
    assert checkup.rules(config(house)).state is State.OK
    (house / "rules" / "a.yaml").write_text("rules:\n  - {idd: a}\n")
    finding = checkup.rules(config(house))
    assert finding.state is State.FAIL
    assert "a.yaml:2" in finding.what


def test_names(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checkup.names(config(house))) == []
    asked = config(house, "redaction: {ner: {model: madeup_model}}\n")
    (finding,) = checkup.names(asked)
    assert finding.state is State.FAIL
    assert "is not installed; got madeup_model" in finding.what
    assert "make setup-ner" in finding.mend
    model = house / "madeup_model" / "inner"
    model.mkdir(parents=True)
    (model / "config.cfg").touch()
    (model / "meta.json").write_text('{"lang": "en", "name": "web", "version": "1.2"}')
    monkeypatch.syspath_prepend(house)
    (finding,) = checkup.names(asked)
    assert finding.state is State.OK
    assert "en_web 1.2" in finding.what


def test_trust(house: Path) -> None:
    assert list(checkup.trust(config(house))) == []
    assert states(list(checkup.trust(config(house, "observe: true\n")))) == [State.WARN]
    text = CONFIG.replace("https://idp.internal", "local")
    (house / "proctor.yaml").write_text(text)
    assert states(list(checkup.trust(load(house / "proctor.yaml")))) == [State.WARN]


@pytest.mark.parametrize(("uid", "state"), [(0, State.WARN), (1000, State.OK)])
def test_user(monkeypatch: pytest.MonkeyPatch, uid: int, state: State) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert checkup.user().state is state


def test_permissions(house: Path) -> None:
    file = house / "proctor.yaml"
    file.chmod(0o644)
    found = config(house)
    assert states(list(checkup.permissions(found, file))) == [State.OK]
    file.chmod(0o664)
    (warning,) = checkup.permissions(found, file)
    assert warning.state is State.WARN
    assert f"chmod g-w {file}" in warning.mend
    (house / "recordings").chmod(0o755)
    assert states(list(checkup.permissions(found, file))) == [State.FAIL, State.WARN]


@pytest.mark.parametrize(
    ("days", "ahead", "state"),
    [(100, 0, State.OK), (1, 0, State.WARN), (1, 2, State.FAIL)],
)
def test_certificates(house: Path, days: float, ahead: float, state: State) -> None:
    files = tls.make(house / "tls", days=days)
    text = CONFIG.replace(
        "    speaks:",
        f"    tls: {{cert: {files.cert}, key: {files.key}}}\n"
        f"    upstream_tls: {{ca: {files.ca}}}\n    speaks:",
    )
    text += f"console: {{tls: {{cert: {files.cert}, key: {files.key}}}}}\n"
    (house / "proctor.yaml").write_text(text)
    found = list(
        checkup.certificates(
            load(house / "proctor.yaml"), datetime.now(UTC) + timedelta(days=ahead)
        )
    )
    assert states(found) == [state, State.OK, state]
    assert [item.check for item in found] == ["tls claude", "tls claude upstream", "tls console"]


def test_certificates_that_are_shown_to_upstreams(house: Path) -> None:
    files = tls.make(house / "tls", days=100)
    text = CONFIG.replace("    speaks:", "    credential: partner\n    speaks:")
    text += f"credentials: [{{name: partner, cert: {files.cert}, key: {files.key}}}]\n"
    (house / "proctor.yaml").write_text(text)
    (finding,) = checkup.certificates(load(house / "proctor.yaml"), datetime.now(UTC))
    assert (finding.check, finding.state) == ("credential partner", State.OK)


def test_certificates_that_do_not_fit(house: Path) -> None:
    files, others = tls.make(house / "tls"), tls.make(house / "others")
    found = config(house, f"console: {{tls: {{cert: {files.cert}, key: {others.key}}}}}\n")
    (finding,) = checkup.certificates(found, datetime.now(UTC))
    assert finding.state is State.FAIL


def test_disk(house: Path) -> None:
    finding = checkup.disk(config(house, "limits: {disk: {warn: 1B, critical: 1B}}\n"))
    assert finding.state is State.OK
    assert str(house / "recordings") in finding.what
    (house / "recordings").rmdir()
    assert str(house) in checkup.disk(config(house)).what
    finding = checkup.disk(config(house, "limits: {disk: {warn: 900TiB, critical: 900TiB}}\n"))
    assert finding.state is State.FAIL


@pytest.mark.parametrize(
    ("soft", "state"),
    [(1024, State.WARN), (100_000, State.OK), (resource.RLIM_INFINITY, State.OK)],
)
def test_open_files(house: Path, monkeypatch: pytest.MonkeyPatch, soft: int, state: State) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert checkup.open_files(config(house)).state is state


def test_surroundings(house: Path) -> None:
    plain = config(house)
    assert [item.check for item in checkup.surroundings(plain, {"HTTPS_PROXY": ""})] == ["egress"]
    proxy, _ = checkup.surroundings(plain, {"HTTPS_PROXY": "http://user:pw@proxy"})
    assert proxy.state is State.WARN
    assert "HTTPS_PROXY" in proxy.what
    assert "pw" not in proxy.what


def test_errors_become_findings() -> None:
    error = ConfigurationError("a-b", "Bad", got="x", expected="y", hint="Do z.", where="f:3")
    finding = checkup.failed("this", error)
    assert finding == Finding(
        check="this", state=State.FAIL, what="f:3: Bad; got x; expected y", mend="Do z."
    )


def test_worst() -> None:
    ok, warn, fail = (Finding(check="x", state=state, what="x") for state in State)
    assert checkup.worst([]) is State.OK
    assert checkup.worst([ok, warn]) is State.WARN
    assert checkup.worst([ok, fail, warn]) is State.FAIL

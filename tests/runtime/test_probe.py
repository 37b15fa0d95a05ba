"""What `proctor doctor` says of redaction."""

from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.redaction.model import RedactionError
from proctor.runtime import probe
from proctor.runtime.checkup import State
from tests.support.installation import CACHE, CONFIG
from tests.support.screened import TwoPatterns


def configured(folder: Path, redaction: str) -> Config:
    text = CONFIG.format(upstream="http://127.0.0.1:1", issuer="local", cache="c")
    config = folder / "proctor.yaml"
    config.write_text(text.replace("redaction: {cache: c}", f"redaction: {redaction}"))
    return load(config)


def test_detectors_that_find_are_well(tmp_path: Path) -> None:
    [found] = probe.redaction(configured(tmp_path, f"{{cache: {CACHE}}}"))
    assert found.state is State.OK, found
    assert "detectors" in found.what


def test_a_listener_without_redaction_is_warned_about(tmp_path: Path) -> None:
    [found] = probe.redaction(configured(tmp_path, "{profile: none}"))
    assert (found.state, "claude" in found.what) == (State.WARN, True)


def test_detectors_that_find_nothing_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(TwoPatterns):
        def scan(self, text: str, budget: object) -> tuple[()]:
            return ()

    monkeypatch.setattr(probe, "load_detector", lambda *_args, **_more: Blind())
    [found] = probe.redaction(configured(tmp_path, "{}"))
    assert (found.state, bool(found.mend)) == (State.FAIL, True)


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("redaction-entity", "No such entity", where="proctor.yaml:3"),
        RedactionError("redaction-detector", "A detector failed"),
    ],
)
def test_detectors_that_do_not_load_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr(probe, "load_detector", fail)
    [found] = probe.redaction(configured(tmp_path, "{}"))
    assert found.state is State.FAIL


def test_a_file_of_canaries_that_the_gateway_could_not_read_is_told(tmp_path: Path) -> None:
    config = configured(tmp_path, f"{{cache: {CACHE}}}")
    config.state.mkdir(mode=0o700, exist_ok=True)
    canaries = config.state / "canaries.json"
    canaries.write_text("{")
    canaries.chmod(0o600)
    [found] = probe.redaction(config)
    assert found.state is State.FAIL
    assert "canaries" in found.what

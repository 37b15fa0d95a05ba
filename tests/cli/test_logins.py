"""The file of sign-ins is its owner's alone, or it is not used."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proctor.cli import logins
from proctor.cli.logins import Login
from proctor.errors import ConfigurationError

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
EARLIER = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
LOGIN = Login(token="pct_secret", expires_at=LATER, name="Alice", subject="alice")
URL = "http://127.0.0.1:9090"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state/proctor/login.json"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_STATE_HOME": "/x"}, Path("/x/proctor/login.json")),
        ({}, Path(".local/state/proctor/login.json")),
        ({"XDG_STATE_HOME": ""}, Path(".local/state/proctor/login.json")),
        ({"XDG_STATE_HOME": "here"}, Path(".local/state/proctor/login.json")),
    ],
)
def test_where_it_is(environment: dict[str, str], expected: Path) -> None:
    assert logins.login_file(environment) == Path.home() / expected


def test_there_and_back(file: Path) -> None:
    old_mask = os.umask(0)
    try:
        assert logins.read(file) == {}
        logins.write(file, {URL: LOGIN, "https://b": LOGIN})
    finally:
        os.umask(old_mask)
    assert logins.read(file) == {URL: LOGIN, "https://b": LOGIN}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    logins.write(file, {})
    assert logins.read(file) == {}
    assert [each.name for each in file.parent.iterdir()] == ["login.json"]


def test_what_is_over_is_left_out(file: Path) -> None:
    over = Login(token="pct_old", expires_at=EARLIER, name="Alice", subject="alice")
    logins.write(file, {URL: over, "https://b": LOGIN})
    assert logins.read(file) == {"https://b": LOGIN}


def test_no_token_is_shown() -> None:
    assert "pct_secret" not in repr(LOGIN)


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o622])
def test_a_file_that_others_can_get_at_is_refused(file: Path, mode: int) -> None:
    logins.write(file, {URL: LOGIN})
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        logins.read(file)
    assert caught.value.code == "open-to-others"
    assert "pct_secret" not in str(caught.value)


def test_a_folder_that_others_can_get_at_is_refused(file: Path) -> None:
    logins.write(file, {URL: LOGIN})
    file.parent.chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        logins.read(file)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        logins.write(file, {})
    assert b"pct_secret" in file.read_bytes()


def test_a_link_in_its_place_is_replaced_not_followed(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    logins.write(file, {})
    file.unlink()
    file.symlink_to(other)
    logins.write(file, {URL: LOGIN})
    assert other.read_text() == "mine"
    assert not file.is_symlink()


GOOD = {"token": "pct_secret", "expires_at": LATER, "name": "Alice", "subject": "alice"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 1}',
        b'{"logins": {}}',
        json.dumps({"version": 2, "logins": {}}).encode(),
        json.dumps({"version": 1, "logins": []}).encode(),
        json.dumps({"version": 1, "logins": {URL: "pct_secret"}}).encode(),
        json.dumps({"version": 1, "logins": {URL: GOOD | {"token": 7}}}).encode(),
        json.dumps({"version": 1, "logins": {URL: GOOD | {"expires_at": "soon"}}}).encode(),
        json.dumps({"version": 1, "logins": {URL: GOOD | {"expires_at": 7}}}).encode(),
        json.dumps(
            {"version": 1, "logins": {URL: GOOD | {"expires_at": "2026-01-01T00:00:00"}}}
        ).encode(),
        b'{"version": 1, "logins": {"a": ' + b"[" * 100_000,
        b'{"token": "pct_secret"' + b" " * 2**20 + b"}",
    ],
)
def test_a_damaged_file_is_refused_in_words_that_hold_nothing_of_it(
    file: Path, content: bytes
) -> None:
    logins.write(file, {})
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        logins.read(file)
    assert caught.value.code == "login-file"
    assert "pct_secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | JSON.map(lambda each: json.dumps(each).encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_anything_else_is_refused(file: Path, content: bytes) -> None:
    logins.write(file, {})
    file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        logins.read(file)


def test_it_does_not_grow_without_end(file: Path) -> None:
    logins.write(file, {f"https://{number}": LOGIN for number in range(150)})
    found = logins.read(file)
    assert len(found) == 100
    assert "https://149" in found

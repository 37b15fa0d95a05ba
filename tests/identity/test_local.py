"""The local issuer's file."""

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.identity.claims import check_claims, check_header
from proctor.identity.jose import load_object, parse_jws
from proctor.identity.local import FILE, MAX_TTL, load, local_settings, make
from tests.support.identity import NOW, settings


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "state" / FILE


def failure(work: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(work)
    return caught.value


def test_keys_are_made_once_and_for_nobody_else(keys: Path) -> None:
    old = os.umask(0)
    try:
        first = make(keys)
    finally:
        os.umask(old)
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys.parent.stat().st_mode & 0o777 == 0o700
    assert make(keys).kid == load(keys).kid == first.kid
    assert list(keys.parent.iterdir()) == [keys]
    secret = json.loads(keys.read_text())["d"]
    assert secret not in repr(first)


def test_two_who_make_keys_at_once_get_the_same(keys: Path) -> None:
    keys.parent.mkdir(mode=0o700)
    start, made = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        made.append(make(keys).kid)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
    assert list(keys.parent.iterdir()) == [keys]


def test_its_tokens_are_taken_whatever_the_settings_say_of_algorithms(keys: Path) -> None:
    issuer = make(keys)
    token = issuer.issue(
        subject="alice", groups=["b", "a", "a"], audience="proctor", ttl=600, now=NOW
    )
    jws = parse_jws(token)
    told = local_settings(
        settings(issuer="local", algorithms=("RS256",), typ=("JWT",), groups="x.y")
    )
    check_header(jws, told)
    assert issuer.public.verifies(jws)
    principal = check_claims(load_object(jws.payload, "payload"), told, NOW)
    assert principal.key == "local#alice"
    assert principal.groups == ("a", "b")
    assert (principal.issued_at, principal.expires_at) == (NOW, NOW + 600)


def test_tokens_do_not_live_for_more_than_a_day(keys: Path) -> None:
    issuer = make(keys)
    for ttl in (0, -1, MAX_TTL + 1, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError) as caught:
            issuer.issue(subject="alice", groups=[], audience="proctor", ttl=ttl, now=NOW)
        assert caught.value.code == "token-ttl"


def test_tokens_are_not_longer_than_what_is_read(keys: Path) -> None:
    groups = [f"group-{number}" * 10 for number in range(400)]
    with pytest.raises(ConfigurationError) as caught:
        make(keys).issue(subject="alice", groups=groups, audience="proctor", ttl=1, now=NOW)
    assert caught.value.code == "token-too-large"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_file_that_is_open_to_others_is_not_used(keys: Path, mode: int) -> None:
    make(keys)
    keys.chmod(mode)
    error = failure(keys)
    assert error.code == "open-to-others"
    assert "chmod" in error.hint
    with pytest.raises(ConfigurationError):
        make(keys)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o755, 0o770])
def test_a_folder_that_is_open_to_others_is_not_used(keys: Path, mode: int) -> None:
    make(keys)
    keys.parent.chmod(mode)
    assert failure(keys).code == "open-to-others"
    with pytest.raises(ConfigurationError):
        make(keys)


def test_links_and_other_things_are_not_used(keys: Path, tmp_path: Path) -> None:
    make(keys)
    elsewhere = tmp_path / "elsewhere"
    keys.rename(elsewhere)
    keys.symlink_to(elsewhere)
    assert failure(keys).code == "local-keys-unusable"
    keys.unlink()
    keys.mkdir(mode=0o700)
    assert failure(keys).code == "local-keys-unusable"
    keys.rmdir()
    os.mkfifo(keys, 0o600)
    assert failure(keys).code == "local-keys-unusable"


def test_missing_keys_are_said_to_be_missing(keys: Path) -> None:
    error = failure(keys)
    assert error.code == "local-keys-missing"
    assert "proctor token" in error.hint


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigurationError):
        make(tmp_path / "state" / FILE)


@pytest.mark.parametrize(
    "change",
    [
        {"d": None},
        {"d": "AAAA"},
        {"d": "_" * 43},
        {"d": ""},
        {"x": "AAAA"},
        {"kid": None},
        {"kty": "RSA"},
        {"use": "enc"},
    ],
)
def test_a_file_that_was_changed_is_not_used(keys: Path, change: dict[str, str | None]) -> None:
    make(keys)
    full = {**json.loads(keys.read_text()), **change}
    keys.write_text(json.dumps({key: value for key, value in full.items() if value is not None}))
    error = failure(keys)
    assert error.code == "local-keys-unusable"
    assert full["x"] not in str(error)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | st.just(b"x" * 20_000) | st.integers(0, 250))
def test_any_content_is_keys_or_an_error(keys: Path, content: bytes | int) -> None:
    if not keys.parent.exists():
        make(keys)
        keys.rename(keys.with_suffix(".good"))
    good = keys.with_suffix(".good").read_bytes()
    keys.touch(mode=0o600)
    keys.write_bytes(good[:content] if isinstance(content, int) else content)
    try:
        load(keys)
    except ConfigurationError as error:
        assert error.code == "local-keys-unusable"  # noqa: PT017 - a whole file is no error

"""One secret, read from where it is kept."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.secrets import MAX_BYTES, Secret, _from_output, file_version, read_secret
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource

NAME = "the credential 'a'"
VALUE = "sk-ant-Zx9"


def read(source: SecretSource, *, seconds: float = 10, now: float = 1000) -> Secret:
    return asyncio.run(
        read_secret(
            source,
            NAME,
            environment={"KEY": VALUE, "EMPTY": "", "BAD": f"{VALUE}\nx", "PATH": "/usr/bin:/bin"},
            seconds=seconds,
            clock=lambda: now,
        )
    )


def refused(source: SecretSource, *, seconds: float = 10) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(source, seconds=seconds)
    assert NAME in str(caught.value)
    assert "Zx9" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def program(code: str, *arguments: str) -> SecretSource:
    return SecretSource(command=(sys.executable, "-c", code, *arguments))


def test_environment() -> None:
    assert read(SecretSource(env="KEY")).value == VALUE
    assert "KEY2" in str(refused(SecretSource(env="KEY2")))
    assert refused(SecretSource(env="EMPTY")).code == "secret-missing"
    assert refused(SecretSource(env="BAD")).code == "secret-malformed"


@pytest.mark.parametrize("raw", [b"sk-ant-Zx9", b"sk-ant-Zx9\n", b" sk-ant-Zx9\r\n\n"])
def test_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(raw)
    path.chmod(0o600)
    secret = read(SecretSource(file=path))
    assert secret.value == VALUE
    assert secret.version == file_version(path)


@pytest.mark.parametrize(
    ("raw", "bits", "code"),
    [
        (b"", 0o600, "secret-missing"),
        (b" \n", 0o600, "secret-missing"),
        (b"Zx9\nZx9", 0o600, "secret-malformed"),
        (b"Zx9\x00", 0o600, "secret-malformed"),
        (b"Zx9\xc3\xa9", 0o600, "secret-malformed"),
        (b"Zx9\x7f", 0o600, "secret-malformed"),
        (b"Zx9" * MAX_BYTES, 0o600, "secret-malformed"),
        (b"Zx9", 0o604, "open-to-others"),
        (b"Zx9", 0o622, "open-to-others"),
    ],
    ids=lambda _: "x",  # the folder is named for the test, and messages name the folder
)
def test_no_file(tmp_path: Path, raw: bytes, bits: int, code: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(raw)
    path.chmod(bits)
    with pytest.raises(ConfigurationError) as caught:
        read(SecretSource(file=path))
    assert caught.value.code == code
    assert "Zx9" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read(SecretSource(file=tmp_path / "none"))
    assert file_version(tmp_path / "none") == ()


def test_file_versions_differ(tmp_path: Path) -> None:
    path, new = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    before = file_version(path)
    new.write_text("y")
    new.replace(path)
    assert file_version(path) != before


def test_command() -> None:
    code = "import os, sys; print(os.environ['KEY'] + sys.argv[1])"
    assert read(program(code, "; echo x")).value == f"{VALUE}; echo x"


@pytest.mark.parametrize(
    ("expires", "at"),
    [(None, None), (2000, 2000), (2000.5, 2000.5), ("1970-01-01T01:00:00Z", 3600)],
)
def test_command_with_expiry(expires: object, at: float | None) -> None:
    output = json.dumps({"value": VALUE, "expires_at": expires})
    secret = read(program(f"print({output!r})"))
    assert (secret.value, secret.expires_at) == (VALUE, at)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('Zx9'); raise SystemExit(3)", "exit status 3"),
        ("print('Zx9' * 100000)", "too much output"),
        ("pass", "empty"),
        ("import sys; print('Zx9', file=sys.stderr); sys.exit(1)", "exit status 1"),
        ("""print('{"value": "Zx9", "expires_at": 999}')""", "already expired"),
    ],
)
def test_no_command(code: str, words: str) -> None:
    assert words in str(refused(program(code)))


def test_a_command_that_hangs_is_ended() -> None:
    error = refused(program("import threading; threading.Event().wait()"), seconds=0.3)
    assert "longer than 0.3 s" in str(error)


def test_a_command_that_is_not_there() -> None:
    assert "No such file" in str(refused(SecretSource(command=("/nowhere/at/all",))))


@pytest.mark.parametrize(
    "output",
    [
        b"{",
        b"{}",
        b'{"value": 3}',
        b'{"value": ""}',
        b'{"value": "a\\nb"}',
        b'{"value": "a", "expires_at": true}',
        b'{"value": "a", "expires_at": "soon"}',
        b'{"value": "a", "expires_at": "2030-01-01T00:00:00"}',
        b"\xff",
        b"",
        b"a\nb",
    ],
)
def test_no_output(output: bytes) -> None:
    with pytest.raises(ConfigurationError):
        _from_output(output, NAME)


@given(
    st.binary(max_size=50) | st.text('{}"value:,expirs_at 0123\\n[]', max_size=50).map(str.encode)
)
def test_any_output_is_read_or_refused(output: bytes) -> None:
    try:
        secret = _from_output(output, NAME)
    except ConfigurationError:
        return
    assert secret.value.isprintable()
    assert secret.value.isascii()
    assert secret.value == secret.value.strip() != ""


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(value=VALUE)
    assert VALUE not in repr(secret)
    assert VALUE not in f"{secret}"

"""The agent's token is read from where it is kept, and never said."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from proctor.errors import AuthenticationError, ConfigurationError
from proctor.stdio import tokens
from proctor.stdio.tokens import VARIABLE, FixedToken, TokenCommand, TokenFile, Tokens


def read(source: Tokens) -> str:
    return asyncio.run(source.read())


def command(code: str) -> TokenCommand:
    return TokenCommand([sys.executable, "-S", "-c", code])


def test_from_the_environment() -> None:
    assert read(FixedToken({VARIABLE: " abc\n"})) == "abc"
    with pytest.raises(ConfigurationError, match="--token-file"):
        FixedToken({VARIABLE: " "})


def test_from_a_file_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = TokenFile(file)
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert read(source) == token


@pytest.mark.parametrize("held", [b"", b"\n", b"\xff", b"x" * 70_000])
def test_a_file_without_a_token(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(held)
    with pytest.raises(AuthenticationError, match="cannot be read"):
        read(TokenFile(file))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "pipe", "."):
        with pytest.raises(AuthenticationError, match="cannot be read"):
            read(TokenFile(tmp_path / name))


def test_from_a_command() -> None:
    assert read(command("print('abc')")) == "abc"


@pytest.mark.parametrize(
    "code", ["print('abc'); raise SystemExit(3)", "print()", "print('x' * 70_000)"]
)
def test_a_command_without_a_token(code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        read(command(code))
    assert "abc" not in str(caught.value)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(AuthenticationError, match="no-such-command"):
        read(TokenCommand(["no-such-command"]))


def test_a_command_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_PATIENCE", 0.2)
    with pytest.raises(AuthenticationError, match="did not end"):
        read(command("print('abc', flush=True); import signal; signal.pause()"))

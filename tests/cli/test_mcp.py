"""What `proctor mcp` takes."""

from pathlib import Path
from typing import Any

import pytest
import typer

from proctor.cli import mcp as command
from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.stdio import serving, streams
from proctor.stdio.tokens import FixedToken, TokenCommand, TokenFile
from tests.stdio.test_assembly import CONFIG


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    seen: list[Any] = []

    async def serve(wanted: Any, *handles: int) -> int:
        assert handles == (0, 1)
        seen.append(wanted)
        return 5

    monkeypatch.setattr(streams, "take", lambda: (0, 1))
    monkeypatch.setattr(serving, "serve", serve)
    monkeypatch.setenv("PROCTOR_AGENT_TOKEN", "t")
    (tmp_path / "proctor.yaml").write_text(CONFIG)

    def call(*argv: str, **options: Any) -> Any:
        with pytest.raises(typer.Exit) as caught:
            command.mcp(list(argv), config=tmp_path / "proctor.yaml", **options)
        assert caught.value.exit_code == 5
        return seen[-1]

    return call


def test_what_is_wanted(called: Any, tmp_path: Path) -> None:
    wanted = called("/usr/bin/mcp-files", "-x", credential=["one=KEY"], session="run-1")
    assert (wanted.server, wanted.argv) == ("mcp-files", ("/usr/bin/mcp-files", "-x"))
    assert (wanted.listener, wanted.session) == ("stdio", "run-1")
    assert wanted.credentials == {"KEY": "one"}
    assert wanted.config == load(tmp_path / "proctor.yaml")


def test_where_the_token_comes_from(called: Any) -> None:
    assert isinstance(called("files").tokens, FixedToken)
    assert isinstance(called("files", token_file=Path("t")).tokens, TokenFile)
    assert isinstance(called("files", token_from="get token").tokens, TokenCommand)


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (["npx", "-y", "x"], {}),
        (["my server"], {}),
        (["x"], {"name": "a__b"}),
        (["x"], {"name": "x" * 65}),
        (["x"], {"token_from": "'"}),
        (["x"], {"token_from": "a", "token_file": Path("b")}),
        (["x"], {"credential": ["one"]}),
        (["x"], {"credential": ["one=1A"]}),
    ],
)
def test_wrong_use(called: Any, argv: list[str], options: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter):
        called(*argv, **options)


def test_a_variable_for_two(called: Any) -> None:
    with pytest.raises(ConfigurationError):
        called("x", credential=["one=A", "two=A"])

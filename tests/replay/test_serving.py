"""The replay on an address, and a command that runs against it."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import find
from proctor.audit.reader import opened
from proctor.errors import ConfigurationError
from proctor.replay.recorded import Recording, read
from proctor.replay.server import Server
from proctor.replay.serving import run, served, variables
from proctor.units import Address
from tests.support.recorded import SESSION, STREAM, record, story

ASKED = {"model": "m", "stream": True, "messages": [
    {"role": "user", "content": "How many files are here?"}]}  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = record(tmp_path_factory.mktemp("serving") / "r", story)
    with opened(path) as reader:
        assert reader is not None
        return read(conversation(reader, find(reader, SESSION)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_over_a_socket(recording: Recording, host: str) -> None:
    async def main() -> bytes:
        server = Server(recording, token="t")
        async with (
            served(server, Address(host=host, port=0)) as url,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):
            answer = await client.post(f"{url}/v1/messages", json=ASKED, headers={"x-api-key": "t"})
            return answer.content

    assert asyncio.run(main()) == STREAM


def test_an_answer_that_broke_off_breaks_off_again(recording: Recording) -> None:
    only = Recording(
        session="s", turns=(recording.turns[6],), left_out={}, own=recording.own, types=frozenset()
    )

    async def main() -> None:
        server = Server(only, token="t")
        async with (
            served(server, Address(host="127.0.0.1", port=0)) as url,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):
            await client.post(f"{url}/v1/messages", json=ASKED, headers={"x-api-key": "t"})

    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(main())


def test_an_address_that_is_taken(recording: Recording) -> None:
    async def main() -> None:
        server = Server(recording, token="t")
        async with served(server, Address(host="127.0.0.1", port=0)) as url:
            port = int(url.rpartition(":")[2])
            async with served(server, Address(host="127.0.0.1", port=port)):
                pass

    with pytest.raises(ConfigurationError):
        asyncio.run(main())


def test_a_command_gets_the_variables_and_not_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-real")
    monkeypatch.setenv("NO_PROXY", "corp.example")
    out = tmp_path / "env"
    code = f"import os; open({str(out)!r}, 'w').write(repr(dict(os.environ))); raise SystemExit(7)"
    given = variables("http://127.0.0.1:99", "replay-x")
    assert asyncio.run(run([sys.executable, "-c", code], given)) == 7
    found = out.read_text()
    assert "sk-real" not in found
    for shown in ("http://127.0.0.1:99", "replay-x", "'NO_PROXY': 'corp.example,127.0.0.1'"):
        assert shown in found
    assert variables("http://[::1]:99", "x")["no_proxy"] == "corp.example,::1"


def test_a_command_that_a_signal_ends() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert asyncio.run(run([sys.executable, "-c", code], {})) == 128 + 15


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(run([os.devnull], {}))
    assert caught.value.code == "replay-command"


def test_claude_code_is_told_by_its_settings_too(tmp_path: Path) -> None:
    """Else a settings.json of the person's own would lead it to the real service."""
    said = tmp_path / "said"
    claude = tmp_path / "claude"
    shown = 'echo "$@"; if [ "$1" = --settings ]; then cat "$2"; fi'
    claude.write_text(f"#!/bin/sh\n{{ {shown}; }} > {said}\n")
    claude.chmod(0o700)
    given = variables("http://127.0.0.1:99", "replay-x")
    assert asyncio.run(run([str(claude), "-p", "hello"], given)) == 0
    words, settings = said.read_text().splitlines()
    assert words.split()[2:] == ["-p", "hello"]
    assert json.loads(settings) == {"env": given}
    assert not Path(words.split()[1]).parent.exists()  # the token is in it
    for own in (["--settings", "x"], ["--settings=x"]):
        asyncio.run(run([str(claude), "-p", *own], given))
        assert said.read_text().splitlines()[0].split() == ["-p", *own]

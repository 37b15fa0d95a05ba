"""The replay's server on its address, alone or for as long as one command runs."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import uvicorn

from proctor.errors import ConfigurationError
from proctor.replay.server import Server
from proctor.runtime.health import listen
from proctor.runtime.tasks import spawn
from proctor.units import Address

_CLIENTS: Final = 64
_GRACE: Final = 2
# Where the agent would go past the replay, or would hand out what it need not.
_UNSET: Final = (
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
_SETTINGS: Final = "--settings"
_NO_PROXY: Final = ("no_proxy", "NO_PROXY")
_SIGNALLED: Final = 128


class _Guest(uvicorn.Server):
    """Uvicorn that leaves signals to its host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(server: Server, address: Address) -> AsyncIterator[str]:
    """Answers while the block runs; gives the base URL.

    Raises:
        ConfigurationError: The address is taken, or not ours.
    """
    opened = listen(address)
    try:
        config = uvicorn.Config(
            server,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CLIENTS,
            timeout_graceful_shutdown=_GRACE,
        )
        guest = _Guest(config)
        task = spawn(guest.serve(sockets=[opened]), name="replay")
        try:
            yield _url(opened)
        finally:
            guest.should_exit = True
            await task
    finally:
        opened.close()


async def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with these variables; its exit status, or 128 + the signal that ended it.

    Raises:
        ConfigurationError: `replay-command`: it cannot be started.
    """
    with _told(command, variables) as words:
        return await _ended(words, variables)


@contextlib.contextmanager
def _told(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[Sequence[str]]:
    """Claude Code's own settings go before variables, so it is given them as settings, too.

    What is in ~/.claude/settings.json or in the project would lead it to another address: `env`
    there, https://code.claude.com/docs/en/settings. Only those of whoever manages the machine go
    before `--settings`.
    """
    own = any(word.partition("=")[0] == _SETTINGS for word in command)
    if own or Path(command[0]).name != "claude":
        yield command
        return
    with tempfile.TemporaryDirectory(prefix="proctor-replay-") as folder:  # 0700
        file = Path(folder) / "settings.json"
        file.write_text(json.dumps({"env": dict(variables)}), encoding="utf-8")
        yield [command[0], _SETTINGS, str(file), *command[1:]]


async def _ended(command: Sequence[str], variables: Mapping[str, str]) -> int:
    env = {name: value for name, value in os.environ.items() if name not in _UNSET}
    try:
        process = await asyncio.create_subprocess_exec(*command, env={**env, **variables})
    except OSError as error:
        raise ConfigurationError(
            "replay-command",
            "The command cannot be started",
            got=f"{command[0]}: {error.strerror or type(error).__name__}",
            expected="a program that is there, after `--`",
        ) from None
    loop = asyncio.get_running_loop()
    # Ctrl-C reaches the command, too: it decides what becomes of it.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        status = await process.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        if process.returncode is None:
            process.kill()
    return status if status >= 0 else _SIGNALLED - status


def variables(url: str, token: str) -> dict[str, str]:
    """What a client needs: where the replay is, and that nothing else is asked."""
    host = url.partition("//")[2].rpartition(":")[0].strip("[]")
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY"), host)))
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": token,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        **dict.fromkeys(_NO_PROXY, direct),
    }


def _url(opened: socket.socket) -> str:
    host, port = opened.getsockname()[:2]
    return f"http://{Address(host=host, port=port)}"


async def interrupted() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()

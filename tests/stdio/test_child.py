"""The server's process gets what it is to get, and ends when it is to end."""

import asyncio
import sys
from typing import Any

import pytest

from proctor.errors import ConfigurationError
from proctor.stdio.child import Child, environment_of, visible

ECHO = "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)"
STUBBORN = (
    "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True)\nwhile True: signal.pause()"
)


def run(test: Any) -> None:
    asyncio.run(test())


async def started(code: str, **more: Any) -> Child:
    return await Child.start([sys.executable, "-S", "-c", code], {"A": "1"}, **more)


def test_it_is_spoken_to_and_ends_with_its_input() -> None:
    async def main() -> None:
        child = await started(ECHO)
        child.write(b"hello\n")
        await child.drain()
        assert await child.output.readline() == b"HELLO\n"
        assert await child.stop() == 0
        child.write(b"too late\n")

    run(main)


@pytest.mark.parametrize(
    ("code", "status"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_its_status(code: str, status: int) -> None:
    async def main() -> None:
        child = await started(code)
        assert await child.ended() == status
        assert await child.stop() == status

    run(main)


def test_what_does_not_end_is_ended() -> None:
    async def main() -> None:
        child = await started(STUBBORN)
        await child.output.readline()
        async with asyncio.timeout(30):
            assert await child.stop(0.01) == 137

    run(main)


def test_what_it_leaves_behind_is_ended_too() -> None:
    async def main() -> None:
        code = (
            "import subprocess, sys\n"
            "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
        )
        child = await started(code)
        assert await child.ended() == 0
        await child.stop(0)
        async with asyncio.timeout(30):
            assert await child.output.read() == b""  # nobody holds it open any more

    run(main)


@pytest.mark.parametrize("argv", [["no-such-command"], ["/"], ["a\0b"]])
def test_what_cannot_be_started(argv: list[str]) -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError, match="cannot be started"):
            await Child.start(argv, {})

    run(main)


def test_standard_error_is_passed_on_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        code = (
            "import os, sys; w = sys.stderr.write; w('one hunter2-secret\\n');"
            "w('Authorization: Bearer abcdefghij\\n'); w('x' * 20_000 + '\\n');"
            "w('\\x1b[2Jtwo\\n'); w('rest')"
        )
        child = await started(code, secrets=["hunter2-secret", ""])
        await child.ended()
        await child.stop()

    run(main)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "one [redacted]",
        "Authorization: [redacted]",
        "(a line of more than 8192 bytes)",
        "\\x1b[2Jtwo",
        "rest",
    ]


def test_visible() -> None:
    assert visible("a\tb\x07\u202e\ufffd") == "a\tb\\x07\\u202e\ufffd"


def test_what_is_withheld_of_the_environment() -> None:
    given = {
        "PATH": "/bin",
        "EMPTY": "",
        "PROCTOR_AGENT_TOKEN": "t",
        "PROCTOR_TOKEN": "c",
        "ANTHROPIC_AUTH_TOKEN": "t\n",
        "ANTHROPIC_API_KEY": "real",
        "COPY": "real",
    }
    found = environment_of(given, withheld={"ANTHROPIC_API_KEY"}, values={"t", "real", ""})
    assert found == {"PATH": "/bin", "EMPTY": ""}

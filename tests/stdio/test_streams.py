"""Standard input and output are for messages alone."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.stdio.streams import Client

TAKEN = (
    "import os, sys\nfrom proctor.stdio.streams import take\n"
    "given, taken = take()\nprint('chatter', flush=True)\n"
    "assert sys.stdin.read() == ''\nos.write(taken, os.read(given, 100))\n"
)


def test_what_others_print_goes_to_standard_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TAKEN], input=b"hello", capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"hello", b"chatter\n")


def test_reading_and_writing() -> None:
    async def main() -> None:
        there, given = os.pipe()
        back, taken = os.pipe()
        client = await Client.open(there, taken)
        os.write(given, b"one\n")
        assert await client.read() == b"one\n"
        client.write(b"two\n")
        await client.drain()
        assert os.read(back, 100) == b"two\n"
        os.close(given)
        assert await client.read() == b""
        os.close(back)
        client.write(b"three\n")
        with pytest.raises(ConnectionError):
            await client.drain()
        client.write(b"four\n")
        client.close()

    asyncio.run(main())


def test_what_is_no_pipe(tmp_path: Path) -> None:
    async def main() -> None:
        handles = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in "ab"]
        with pytest.raises(ConfigurationError, match="pipes"):
            await Client.open(*handles)

    asyncio.run(main())

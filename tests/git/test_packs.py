"""Packs are read in processes that come, go, and are ended when they must be."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import InternalError
from proctor.git.packreading import Order
from proctor.git.packreport import PackError, PackLimits
from proctor.git.packs import Packs
from tests.support.packing import pack, whole


def using(work: Callable[[Packs], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        packs = Packs(None, **options)
        try:
            await work(packs)
        finally:
            await packs.close()

    asyncio.run(main())


def test_one_process_reads_pack_after_pack(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(pack([whole("blob", b"x" * 10)]))
    bad.write_bytes(b"PACK")

    async def work(packs: Packs) -> None:
        await packs.warm()
        for _ in range(3):
            assert (await packs.read(Order(path=good, detect=False))).objects == 1
            with pytest.raises(PackError, match="cannot be read"):
                await packs.read(Order(path=bad, detect=False))
        with pytest.raises(InternalError, match="no detector"):
            await packs.read(Order(path=good))
        with pytest.raises(InternalError, match="FileNotFoundError"):
            await packs.read(Order(path=tmp_path / "none", detect=False))
        assert len(packs._all) == 1
        assert not packs.detects

    using(work)


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "import sys; sys.exit(3)",
        "import sys; sys.stdin.buffer.read(16); sys.stdout.buffer.write(b'\\xff' * 100)",
        "import sys; sys.stdin.buffer.read(16); sys.stdout.write('\\0' * 7 + '\\5' + 'no js')",
        "import sys; sys.stdin.buffer.read(16); sys.stdout.write('\\0' * 7 + '\\2' + '{}')",
    ],
    ids=["hangs", "ends", "too-long", "garbage", "says-nothing"],
)
def test_a_process_that_fails_refuses_and_is_ended(tmp_path: Path, program: str) -> None:
    async def work(packs: Packs) -> None:
        order = Order(path=tmp_path, detect=False, limits=PackLimits(seconds=0.3))
        with pytest.raises(InternalError) as caught:
            await packs.read(order)
        assert caught.value.code == "git-worker"
        ended = [each for each in packs._all if each not in packs._idle]
        assert ended == []

    using(work, command=(sys.executable, "-c", program), grace=0.2)


def test_no_such_program_and_a_gateway_that_stops(tmp_path: Path) -> None:
    async def work(packs: Packs) -> None:
        with pytest.raises(InternalError, match="FileNotFoundError"):
            await packs.read(Order(path=tmp_path))
        await packs.close()
        with pytest.raises(InternalError, match="stops"):
            await packs.read(Order(path=tmp_path))

    using(work, command=("/nowhere/python",))


def test_as_many_at_once_as_may_be(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(pack([whole("blob", os.urandom(10))]))

    async def work(packs: Packs) -> None:
        order = Order(path=path, detect=False)
        await asyncio.gather(*(packs.read(order) for _ in range(6)))
        assert len(packs._all) == 2

    using(work)

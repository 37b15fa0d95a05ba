"""Writers that nobody is."""

import asyncio
from pathlib import Path

from proctor.audit.store import Store
from proctor.evidence.posts import vacant
from proctor.evidence.sealer import Sealing
from tests.evidence.days import GENTLE, Time, one, writing
from tests.support.envelopes import run


def test_one_that_somebody_is_stays_theirs(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        async with writing(path, time) as (recorder, _):
            await one(recorder, 0, run())
            async with vacant(Store.at(path), "w0", pace=GENTLE, sealing=None) as post:
                assert post is None
        async with vacant(Store.at(path), "w0", pace=GENTLE, sealing=None) as post:
            assert post is not None
            assert await post.do(lambda _: 7) == 7
            assert post.alive() == frozenset()
            assert post.renew(lambda _name, _principal, _session: True) == []
            post.rotate()
        async with writing(path, time) as (recorder, _):  # and is free again
            assert recorder.writer == "w0"

    asyncio.run(test())


def test_one_of_which_nothing_is_done_is_not_signed_again(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()
    sealing = Sealing(state=tmp_path / "state")

    async def test() -> None:
        async with writing(path, time) as (recorder, _):
            await one(recorder, 0, run())
        file = path / "writers/w0/checkpoints.jsonl"
        signed: list[bytes] = []
        for _ in range(3):
            async with vacant(Store.at(path), "w0", pace=GENTLE, sealing=sealing) as post:
                assert post is not None
                await post.do(lambda _: None)
            signed.append(file.read_bytes())
        assert signed[1] == signed[2]

    asyncio.run(test())

"""Writers that nobody is."""

import asyncio
from pathlib import Path

from proctor.audit.store import Store
from proctor.evidence.posts import vacant
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

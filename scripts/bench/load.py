"""The load generator, a process of its own so that its CPU is nobody's figure.

One job a line of JSON on standard input, one answer a line on standard output. Connections stay
open from job to job.
"""

import asyncio
import json
import secrets
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import turns
import wire
from clients import Client, Sample, Target, connect


class Load:
    """All connections, by target and number."""

    def __init__(self) -> None:
        self._clients: dict[tuple[Target, int, str], Client] = {}

    async def burst(self, job: dict[str, Any]) -> dict[str, Any]:
        """So many requests from so many clients at once; `rate` a second, or as fast as it goes.

        With `fresh`, each comes over a connection of its own.
        """
        target = Target(**job["target"])
        fresh = job.get("fresh", False)
        clients = [
            None if fresh else await self._client(target, index) for index in range(job["clients"])
        ]
        rate = job.get("rate", 0)
        bodies = [
            wire.small_request(job["kind"], secrets.token_hex(8), job.get("number", 0))
            for _ in range(job["requests"])
        ]
        work = iter([(body, wire.expected(body)) for body in bodies])
        samples: list[Sample] = []
        begin = time.perf_counter()
        begun = iter(range(len(bodies)))

        async def run(kept: Client | None) -> None:
            for body, wanted in work:
                if rate:
                    due = begin + next(begun) / rate
                    await asyncio.sleep(max(0, due - time.perf_counter()))
                client = kept or await connect(target, "")
                samples.append(await client.ask(body, wanted=wanted))
                if kept is None:
                    client.close()

        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(run(client))
        return _said([samples], time.perf_counter() - begin)

    async def pairs(self, job: dict[str, Any]) -> dict[str, Any]:
        """The same request through each target in turn, so many times."""
        targets = [Target(**target) for target in job["targets"]]
        samples: list[list[Sample]] = [[] for _ in targets]
        begin = time.perf_counter()
        for number, (session, body, counted) in enumerate(_questions(job)):
            wanted = wire.expected(body)
            order = range(len(targets))
            for index in order if number % 2 else reversed(order):
                client = await self._client(targets[index], 0, session)
                sample = await client.ask(body, wanted=wanted)
                if counted:
                    samples[index].append(sample)
        return _said(samples, time.perf_counter() - begin)

    async def _client(self, target: Target, number: int, session: str = "") -> Client:
        key = (target, number, session)
        if key not in self._clients:
            self._clients[key] = await connect(target, session or str(uuid.uuid4()))
        return self._clients[key]

    def hang_up(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _questions(job: dict[str, Any]) -> Iterator[tuple[str, bytes, bool]]:
    """Session, body, and whether it counts: the first of each conversation is new all over."""
    if job["kind"] == "turn":
        for number in range(job["from"], job["from"] + job["count"]):
            conversation = turns.Conversation(number, job.get("size", turns.TARGET))
            for turn in range(job["turns"] + 1):
                yield conversation.session, conversation.next(), turn > 0
        return
    session = str(uuid.uuid4())
    for _ in range(job["count"]):
        yield session, wire.small_request(job["kind"], secrets.token_hex(8)), True


def _said(samples: list[list[Sample]], seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "first": [[sample.first for sample in one] for one in samples],
        "whole": [[sample.whole for sample in one] for one in samples],
    }


async def _main() -> None:
    load = Load()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        job = json.loads(line)
        answer: dict[str, Any]
        try:
            match job["do"]:
                case "burst":
                    answer = await load.burst(job)
                case "pairs":
                    answer = await load.pairs(job)
                case _:
                    load.hang_up()
                    answer = {}
        except (ExceptionGroup, OSError, RuntimeError) as error:
            load.hang_up()
            first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            answer = {"error": f"{type(first).__name__}: {first}"}
        print(json.dumps(answer), flush=True)
    load.hang_up()


if __name__ == "__main__":
    asyncio.run(_main())

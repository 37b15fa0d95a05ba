"""Where lines go; whole paths are in test_worker.py."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor.approval.notify.wire import DeliveryError
from proctor.errors import ConfigurationError
from proctor.export.settings import ExportSettings
from proctor.export.sinks import FileSink, HttpSink, line
from proctor.fields import SecretSource
from proctor.testing.http1 import Received
from tests.approval.notify.standins import Said, serve

SECRET = "Splunk which-nobody-may-see"


def settings(**more: Any) -> ExportSettings:
    return ExportSettings.model_validate({"name": "siem", "to": "https://siem.test/in", **more})


async def look(source: SecretSource, name: str) -> str:  # noqa: ARG001 - as `Look` is
    return SECRET


def now() -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC)


def post(answer: Said, **more: Any) -> list[Received]:
    came: list[Received] = []

    async def main() -> None:
        def take(request: Received) -> Said:
            came.append(request)
            return answer

        header = {"name": "Authorization", "value": {"env": "X"}}
        async with serve(take) as origin:
            sink = HttpSink(settings(header=header), f"{origin}/in", look, clock=now, **more)
            await sink.check()
            try:
                await sink.send([b'{"a":1}', b'{"a":2}'])
            finally:
                await sink.close()

    asyncio.run(main())
    return came


def test_lines() -> None:
    (request,) = post(Said())
    assert request.body == b'{"a":1}\n{"a":2}\n'
    assert request.header("authorization") == SECRET
    assert request.header("content-type") == "application/x-ndjson"


def test_one_message() -> None:
    (request,) = post(Said(body=b'{"partialSuccess":{}}'), join=b",".join)
    assert request.body == b'{"a":1},{"a":2}'
    assert request.header("content-type") == "application/json"
    assert post(Said(status=202, body=b""), join=b",".join)


@pytest.mark.parametrize("status", [302, 401, 413, 500])
def test_no_error_says_what_was_sent(status: int) -> None:
    with pytest.raises(DeliveryError) as caught:
        post(Said(status, body=b"which-nobody-may-see, too"))
    assert caught.value.code == f"status-{status}"
    assert "which-nobody" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_an_answer_without_end_is_not_read() -> None:
    with pytest.raises(DeliveryError) as caught:
        post(Said(body=b"x" * 1024, repeat=1024), join=b",".join)
    assert caught.value.code == "answer-too-large"


def test_tls_is_verified(tmp_path: Path) -> None:
    """A CA of one's own replaces the usual ones, and nothing turns checking off."""
    made: list[httpx.AsyncClient] = []

    def client() -> httpx.AsyncClient:
        made.append(httpx.AsyncClient(trust_env=False, timeout=30))
        return made[-1]

    async def main() -> None:
        sink = HttpSink(settings(), "https://127.0.0.1:1/", look, clock=now, client=client)
        await sink.check()
        await sink.close()
        bad = HttpSink(settings(ca=str(tmp_path / "none.pem")), "https://x/", look, clock=now)
        await bad.check()

    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(main())
    assert caught.value.code == "tls-files"
    assert len(made) == 1


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    sink = FileSink(settings(to=f"file://{path}"), path)

    async def main() -> None:
        await sink.check()
        await sink.send([b"a", b"b"])
        await sink.close()

    asyncio.run(main())
    assert path.read_bytes() == b"a\nb\n"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "no" / "out"
    with pytest.raises(DeliveryError) as caught:
        asyncio.run(FileSink(settings(to=f"file://{path}"), path).send([b"a"]))
    assert caught.value.code == "file-no such file or directory"


def test_a_line_is_one_and_ascii() -> None:
    text = "a\nb\u2028\x1b[31m€"
    assert json.loads(line({"a": text})) == {"a": text}
    assert line({"a": text}).isascii()
    assert not {b"\n", b"\x1b"} & {bytes([byte]) for byte in line({"a": text})}

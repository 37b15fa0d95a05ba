"""The first connection that comes about; that nothing else is dialled stands in tests/stages."""

import asyncio
import socket

import pytest

from proctor.runtime.dialling import dial


def _dialled(hosts: list[str], port: int, patience: float = 5) -> str:
    async def main() -> str:
        _, writer = await dial(hosts, port, patience)
        peer: str = writer.get_extra_info("peername")[0]
        writer.close()
        await writer.wait_closed()
        return peer

    return asyncio.run(main())


def test_addresses_are_tried_in_order() -> None:
    with socket.create_server(("127.0.0.2", 0)) as there:
        port = there.getsockname()[1]
        assert _dialled(["127.0.0.1", "127.0.0.2", "127.0.0.3"], port) == "127.0.0.2"
        with pytest.raises(ConnectionRefusedError):
            _dialled(["127.0.0.1", "127.0.0.3"], port)


def test_one_that_does_not_answer_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = there.getsockname()[1]
        with pytest.raises(TimeoutError):
            _dialled(["127.0.0.1"], port, patience=0)
        with pytest.raises(TimeoutError):
            _dialled(["127.0.0.1", "127.0.0.1"], port, patience=0)

"""What holds for every test: an empty home, a clean environment, only loopback, own ports."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from proctor.testing import ports

# A busy machine is no reason to fail: how fast things are is for `make bench`.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

_CALLERS = ("ANTHROPIC_", "CLAUDE_", "PROCTOR_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with what is slow come first, so that at the end no worker waits long for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    e2e = {item.path for item in items if item.get_closest_marker("e2e")}
    items.sort(key=lambda item: (item.path not in slow, item.path not in e2e))


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in list(os.environ):
            if name.upper().startswith(_CALLERS) and name != "PROCTOR_SHARED_DATA":
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def _ports_of_its_own() -> Iterator[None]:
    """No two processes of one run of the tests take the same port."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (ports.LAST - ports.FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = ports.FIRST + number * share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "FIRST", first)
        patch.setattr(ports, "LAST", first + share)
        yield


@pytest.fixture(autouse=True, scope="session")
def _only_loopback() -> Iterator[None]:
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def allowed(own: socket.socket, address: Any) -> None:
        if own.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(address[0]):
            raise OSError(f"tests stay on loopback, and this one wants {address[0]}")

    def guarded(own: socket.socket, address: Any) -> None:
        allowed(own, address)
        connect(own, address)

    def guarded_ex(own: socket.socket, address: Any) -> int:
        allowed(own, address)
        return connect_ex(own, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

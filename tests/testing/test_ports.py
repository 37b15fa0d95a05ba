"""Ports for programs that must be told theirs."""

import socket

import pytest

from proctor.testing import ports


def test_they_are_free_and_different() -> None:
    found = ports.free_ports(50)
    assert len(set(found)) == 50
    for port in found:
        socket.create_server(("127.0.0.1", port)).close()


def test_what_is_taken_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free_ports(1)
    monkeypatch.setattr(ports, "FIRST", port)
    monkeypatch.setattr(ports, "LAST", port + 1)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="no 1 free ports"):
        ports.free_ports(1)

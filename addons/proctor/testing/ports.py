"""Ports for programs that must be told theirs before they start."""

import random
import socket

FIRST, LAST = 10_240, 32_767
"""Below the ports that systems hand out by themselves (RFC 6335 6 and ip(7), ip_local_port_range):
no connection or port 0 takes one of these in the meantime."""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, all different."""
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        if len(found) == count:
            return found
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
    raise OSError(f"no {count} free ports from {FIRST} to {LAST}")

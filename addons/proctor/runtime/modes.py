"""How mitmproxy names a listener of ours, and the door behind each; belongs to mitm.py."""

from mitmproxy.proxy import mode_specs

from proctor.runtime.door import Door

doors: dict[str, Door] = {}
"""Listener → what stands behind it."""


def open_door(listener: str, door: Door) -> None:
    """From now on `door` stands behind the listener of this name."""
    doors[listener] = door


class ProctorMode(mode_specs.ProxyMode):
    """`proctor:NAME@HOST:PORT`, a listener of ours."""

    description = "proctor"
    transport_protocol = mode_specs.TCP

    def __post_init__(self) -> None:
        """Refuse a mode that names no listener."""
        if not self.data:
            raise ValueError("expected proctor:NAME@HOST:PORT, got no listener's name")

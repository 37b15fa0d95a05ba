"""Addresses, sizes and durations as people write them.

Each parser raises ValueError whose text says what is expected, and nothing of what was found.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?) ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.ASCII)
_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
_PORT = re.compile(r"\d{1,5}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where something listens. Port 0 lets the system choose."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A scheme, host and port (RFC 6454, 4); the port is always given."""

    scheme: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.scheme == "https"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{_bracketed(self.host)}{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its form alone, without asking a resolver."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # RFC 6761, 6.3


def parse_address(text: str) -> Address:
    """`127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`.

    Raises:
        ValueError: It is something else.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        valid = _is_ip(host, version=6)
    else:
        valid = ":" not in host and _is_host(host)
    if not colon or not valid or not _PORT.fullmatch(port) or int(port) > _MAX_PORT:
        raise ValueError("host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(host=host, port=int(port))


def parse_origin(text: str, *, schemes: tuple[str, ...] = ("https", "http")) -> Origin:
    """A URL of scheme, host and perhaps port; nothing behind it but `/`.

    Raises:
        ValueError: It is something else.
    """
    expected = f"an address such as {schemes[0]}://host or {schemes[0]}://host:8443, with no path"
    # urlsplit drops tabs and line ends in silence (WHATWG URL, 4.4), so they are refused before.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(expected)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(expected) from None
    if (
        parts.scheme not in schemes
        or parts.path not in {"", "/"}
        or any(mark in text for mark in "@?#\\")
        or parts.netloc.endswith(":")
        or port == 0
        or not (_is_ip(host, version=6) if parts.netloc.startswith("[") else _is_host(host))
    ):
        raise ValueError(expected)
    return Origin(scheme=parts.scheme, host=host, port=port or _DEFAULT_PORTS[parts.scheme])


def parse_duration(value: str | float) -> float:
    """`500ms`, `30s`, `4m`, `2h`, `365d`, or a number of seconds; more than 0.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    else:
        seconds = 0.0 if isinstance(value, bool) else float(value)
    if seconds <= 0:
        raise ValueError("a time such as 500ms, 30s, 4m, 2h or 365d")
    return seconds


def parse_size(value: str | int) -> int:
    """`64MiB`, `1GB`, or a number of bytes; more than 0.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        size = int(float(match[1]) * _BYTES[match[2]]) if match else 0
    else:
        size = 0 if isinstance(value, bool) else value
    if size <= 0:
        raise ValueError("a size such as 64MiB, 1GB or a number of bytes")
    return size


def format_size(size: float) -> str:
    """A size for people: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_ip(host: str, *, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version and "%" not in host
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    # A name whose last label is all digits is an IPv4 address or nothing (WHATWG URL, 3.5).
    if host.rstrip(".").rpartition(".")[2].isdigit():
        return _is_ip(host, version=4)
    return _HOST.fullmatch(host) is not None


def plural(count: int, word: str) -> str:
    """`1 row`, `4,031 rows`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")

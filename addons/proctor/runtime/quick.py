"""What costs most in mitmproxy, swapped for what does the same in less time.

Belongs to mitm.py: another reach into mitmproxy's insides, with tests that fail on an upgrade.
"""

from functools import lru_cache
from typing import Any

from mitmproxy import http, optmanager
from mitmproxy.proxy.context import Context


def quicken() -> None:
    """Swap it, for the whole process.

    A header is looked up some forty times a request and an option a dozen times; both are meant
    for people who write addons, the one folding case at every step, the other copying deeply.
    """
    # An aid for mitmproxy's developers: it checks the type of each field of each message.
    http.MessageData.__post_init__ = lambda _self: None  # type: ignore[method-assign, attr-defined, unused-ignore]  # the point of this function
    http.Headers.get_all = _get_all  # type: ignore[method-assign]  # the same
    http.Headers.__contains__ = _contains  # type: ignore[assignment, method-assign]  # the same
    http.Headers.get = _get  # type: ignore[assignment, method-assign]  # the same
    optmanager._Option.current = _current  # type: ignore[method-assign]  # noqa: SLF001  # the same
    Context.fork = _fork  # type: ignore[method-assign]  # the same


def _wanted(name: str | bytes) -> bytes:
    return _folded(name) if isinstance(name, str) else name.lower()


@lru_cache(maxsize=512)
def _folded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape").lower()


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    wanted = _wanted(name)
    size = len(wanted)  # most names differ in it, and then need not be folded
    return [
        value.decode("utf-8", "surrogateescape")
        for key, value in self.fields
        if len(key) == size and key.lower() == wanted
    ]


def _contains(self: http.Headers, name: str | bytes) -> bool:
    wanted = _wanted(name)
    size = len(wanted)
    for key, _ in self.fields:  # noqa: SIM110 - a generator costs more than all the rest
        if len(key) == size and key.lower() == wanted:
            return True
    return False


def _get(self: http.Headers, name: str | bytes, default: Any = None) -> Any:
    values = _get_all(self, name)
    return ", ".join(values) if values else default


_plain_option = optmanager._Option.current  # noqa: SLF001 - swapped in `quicken`


def _current(self: Any) -> Any:
    value = self._default if self.value is optmanager.unset else self.value
    return value if type(value) in _IMMUTABLE else _plain_option(self)


def _fork(self: Context) -> Context:
    """Theirs makes a server first, which is then thrown away."""
    made = Context.__new__(Context)
    made.client, made.options, made.server = self.client, self.options, self.server
    made.layers = self.layers.copy()
    return made


_IMMUTABLE = frozenset({bool, int, float, str, type(None)})

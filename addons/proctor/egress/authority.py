"""The installation's own authority at work: a TLS context for each host, made when it is asked for.

The leaves share one key, which is made anew in every process and never stands on disk.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from proctor.egress import cafile
from proctor.egress.cafile import Authorities
from proctor.egress.certificates import make_leaf
from proctor.egress.constraints import Constraints
from proctor.errors import ConfigurationError, RefusedError
from proctor.runtime.tls import OPTIONS, select

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the file."""

MAX_HOSTS = 1000

_RENEW_AFTER = 0.8
"""Of what is left of a leaf's life when it is made."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another process has taken a step of a rotation."""

    old: Authorities
    new: Authorities

    def detail(self) -> dict[str, Any]:
        """As an event says it."""
        return {"step": self.new.step, "by": self.new.by, "authorities": self.new.rows()}


type Report = Callable[[Change | ConfigurationError], None]
type _Signature = tuple[int, int, int, int] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A context, and between which times it is used."""

    context: SSL.Context
    begins: datetime
    renew: datetime


class Authority:
    """Makes contexts for hosts. Whatever is wrong with its file stops that until it is mended.

    Attributes:
        current: The authorities in force.
    """

    def __init__(
        self,
        state: Path,
        *,
        permitted: Sequence[str] = (),
        report: Report,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the authorities; a new one is made where there is none.

        Args:
            state: proctor's folder for what it keeps; exists.
            permitted: `ca.permitted`.
            report: Called after each change of the file, with what it was or with what is wrong.
            clock: The time, aware.
            ticks: Seconds that never go back, between looks at the file.

        Raises:
            ConfigurationError: `open-to-others` or `ca-unusable`.
        """
        self._path = cafile.path_in(state)
        self._permitted = Constraints.parse(permitted)
        self._report = report
        self._clock = clock
        self._ticks = ticks
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._problem: ConfigurationError | None = None
        cafile.create(self._path, self._permitted, now=clock(), by="proctor")
        # From before the load, as in `refresh`: what changes meanwhile is seen at the next look.
        self._seen = _signature(self._path)
        self.current = cafile.load(self._path)
        self._looked = ticks()

    def permits(self, host: str) -> bool:
        """Whether there may be a certificate for a canonical host."""
        return self._permitted.permits(host) and self.current.signs.constraints.permits(host)

    def context_for(self, host: str) -> SSL.Context:
        """What a client that wants to reach `host` is shown.

        Args:
            host: Canonical name or address.

        Raises:
            ClientError: `ca-host`, no host can be called so.
            RefusedError: `ca-not-permitted`.
            ConfigurationError: The authority cannot be used, or has ended.
        """
        self.refresh()
        if self._problem is not None:
            raise self._problem.with_traceback(None)
        now = self._clock()
        made = self._made.get(host)
        if made is None or not made.begins <= now < made.renew:
            made = self._make(host, now)
            self._made[host] = made
            if len(self._made) > MAX_HOSTS:
                self._made.popitem(last=False)
        self._made.move_to_end(host)
        return made.context

    def refresh(self) -> None:
        """Read the file again if it has changed, at most once a second."""
        now = self._ticks()
        if now - self._looked < INTERVAL:
            return
        self._looked = now
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = cafile.load(self._path)
        except ConfigurationError as error:
            log.error(  # noqa: TRY400 - the message says all; a traceback would say no more
                "certificates are no longer made: %s", error, extra={"event": "ca.broken"}
            )
            self._problem = error
            self._report(error)
            return
        self._problem = None
        if found != self.current:
            change = Change(self.current, found)
            if found.signs != self.current.signs:
                self._made.clear()
            self.current = found
            log.info(
                "the installation's own authorities have changed",
                extra={"event": "ca.changed", "step": found.step, "signs": found.signs.id},
            )
            self._report(change)

    async def run(self) -> None:
        """Look at the file for ever; cancel to end."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.refresh()

    def _make(self, host: str, now: datetime) -> _Made:
        ca = self.current.signs
        leaf = make_leaf(ca, host, self._key.public_key(), now)
        for constraints, hint in (
            (self._permitted, "Add it to `ca.permitted`, and see `proctor ca rotate`."),
            (
                ca.constraints,
                "The authority is older than `ca.permitted`: see `proctor ca rotate`.",
            ),
        ):
            if not constraints.permits(host):
                raise RefusedError(
                    "ca-not-permitted",
                    "The installation's own authority may not sign for this host",
                    got=host,
                    expected=f"one of: {constraints}",
                    hint=hint,
                )
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(OPTIONS)
        context.set_session_id(b"proctor")
        context.set_alpn_select_callback(select)
        context.use_certificate(leaf)
        context.add_extra_chain_cert(ca.certificate)
        context.use_privatekey(self._key)
        renew = now + _RENEW_AFTER * (leaf.not_valid_after_utc - now)
        return _Made(context=context, begins=leaf.not_valid_before_utc, renew=renew)


def _signature(path: Path) -> _Signature:
    """What tells that the file has changed; its mode and owner change with ctime."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return error.strerror or type(error).__name__
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)

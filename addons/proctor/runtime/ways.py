"""What can be wrong on the ways out: upstreams, routes, destinations, and our own authority."""

import asyncio
import ssl
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import certifi

from proctor.config import Config
from proctor.egress import cafile
from proctor.egress.resolver import Resolver
from proctor.egress.targets import Target, targets_of
from proctor.errors import ProctorError
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.tls import Trusted
from proctor.units import Address, Origin

_SECONDS = 5.0
_RENEW = timedelta(days=90)


def ways_out(config: Config, resolver: Resolver) -> Iterator[Awaitable[Finding]]:
    """One look at each place that one host is meant by, and that is dialled from here.

    Args:
        config: As loaded.
        resolver: Looks names up, and refuses addresses that a destination must not lead to.
    """
    for listener in config.listeners:
        if listener.via:
            yield _proxy(listener.name, listener.via)
            continue
        looked: set[tuple[str, int]] = set()
        for target in targets_of(listener):
            place = str(target.host), target.port
            if target.host.exact and place not in looked:
                looked.add(place)
                alone = listener.upstream is not None
                name = listener.name if alone else f"{listener.name} {_address(*place)}"
                yield _upstream(f"upstream {name}", target, resolver)


def authority(config: Config, now: datetime) -> list[Finding]:
    """Is there an authority for forward listeners, does it last, and may it sign what it has to?"""
    hosts = {
        str(item.host)
        for listener in config.listeners
        for item in listener.destinations
        if item.host.exact and item.speaks != "tunnel" and not item.plaintext
    }
    if not any(listener.kind == "forward" for listener in config.listeners):
        return []
    try:
        signs = cafile.load(cafile.path_in(config.state)).signs
    except ProctorError as error:
        state = State.WARN if error.code == "ca-missing" else State.FAIL
        return [failed("authority", error, state)]
    refused = sorted(host for host in hosts if not signs.constraints.permits(host))
    if refused:
        return [
            Finding(
                check="authority",
                state=State.FAIL,
                what=f"It may not sign for {', '.join(refused[:5])}, so nobody can go there",
                mend="Name them in `ca.permitted`, and rotate: `proctor ca rotate --help`.",
            )
        ]
    left = signs.ends - now
    if left < _RENEW:
        ended = left < timedelta()
        return [
            Finding(
                check="authority",
                state=State.FAIL if ended else State.WARN,
                what="It has ended" if ended else f"It ends in {left.days} days",
                mend="Rotate it, so that clients have the next one in time: `proctor ca rotate`.",
            )
        ]
    return [
        Finding(check="authority", state=State.OK, what=f"{signs.id} signs, for {left.days} days")
    ]


async def _upstream(check: str, target: Target, resolver: Resolver) -> Finding:
    host = str(target.host)
    try:
        if target.named:
            addresses = await resolver.resolve(host, target.port)
        else:
            addresses = await resolver.pinned(host, target.port, target.host, target.addresses)
    except ProctorError as error:
        return failed(check, error)
    tls = target.tls and target.speaks != "tunnel"
    return await _dial(check, host, target.port, addresses, files=target.files if tls else None)


async def _proxy(listener: str, via: Origin) -> Finding:
    """Behind the company's own proxy only that is asked."""
    files = Trusted() if via.tls else None
    found = await _dial(f"upstream {listener}", via.host, via.port, (via.host,), files=files)
    if found.state is not State.OK:
        return found
    return replace(found, what=f"{found.what}; what is behind it was not tried")


async def _dial(
    check: str, host: str, port: int, addresses: tuple[str, ...], *, files: Trusted | None
) -> Finding:
    """Connect to the first address that takes it; with TLS where there are `files` to trust."""
    name = _address(host, port)
    try:
        context = _context(files) if files else None
    except (OSError, ssl.SSLError):
        return Finding(
            check=check,
            state=State.FAIL,
            what="The files under `upstream_tls` cannot be used",
            mend="They must be readable PEM files, the key fitting the certificate.",
        )
    reason = ""
    for address in addresses:
        try:
            async with asyncio.timeout(_SECONDS):
                _, writer = await asyncio.open_connection(
                    address, port, ssl=context, server_hostname=host if context else None
                )
                writer.close()
        except ssl.SSLCertVerificationError as error:
            return Finding(
                check=check,
                state=State.FAIL,
                what=f"The certificate of {name} is not trusted: {error.verify_message}",
                mend="If it is your company's, name its CA as `upstream_tls: {ca: …}`.",
            )
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
        else:
            return Finding(check=check, state=State.OK, what=f"{name} can be reached")
    return Finding(
        check=check,
        state=State.FAIL,
        what=f"{name} cannot be reached: {reason}",
        mend="Check the address; behind a company's proxy, name that as `via`.",
    )


def _address(host: str, port: int) -> str:
    return str(Address(host=host, port=port))


def _context(files: Trusted) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca or certifi.where())
    if files.cert is not None:
        context.load_cert_chain(files.cert, files.key)
    return context

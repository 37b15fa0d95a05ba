"""What can be wrong between an installation and those it needs: issuers, upstreams, its ports."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import certifi
import httpx

from proctor.config import Config
from proctor.credentials.echo import SHORTEST, searchable
from proctor.credentials.oauth import TokenEndpoint
from proctor.credentials.secrets import read_secret
from proctor.credentials.settings import Grant, OAuthSettings
from proctor.egress.resolver import Resolver
from proctor.errors import ConfigurationError, ProctorError
from proctor.fields import SecretSource
from proctor.identity.fetch import Fetch
from proctor.identity.jwks import load_keys
from proctor.identity.metadata import discover
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.health import listen
from proctor.runtime.ways import authority, ways_out
from proctor.settings import ConsoleSettings, IssuerSettings
from proctor.units import Address

_SECONDS = 5.0
_SKEW_WARN = 5.0
_OK = 200


async def look_around(
    config: Config,
    *,
    fetch: Fetch,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
) -> list[Finding]:
    """Ask everyone proctor needs, all at once; each has some seconds to answer.

    Args:
        config: As loaded.
        fetch: Asks issuers.
        environment: Where credentials may be.
        now: The time, in UTC.
    """
    running = await ask_console(config.console)
    work: list[Awaitable[Finding]] = [ports(config, running=running)]
    for issuer in config.identity.issuers:
        if issuer.issuer != "local":
            work += [issuer_keys(issuer, fetch), clock_skew(issuer, now)]
        if issuer.introspection is not None:
            secret, name = issuer.introspection.client_secret, f"at {issuer.issuer}"
            work.append(credential(secret, name, environment, running=running))
    work += [
        credential(source, item.name, environment, running=running)
        for item in config.credentials
        for source in item.sources
    ]
    for item in config.credentials:
        if item.oauth is not None:
            work.append(
                has_token(
                    item.name, item.oauth, fetch, environment=environment, now=now, running=running
                )
            )
    resolver = Resolver()
    try:
        work += ways_out(config, resolver)
        if config.postgres:
            from proctor.postgres.looks import servers  # noqa: PLC0415 - others do without

            work += servers(config, environment)
        return [*authority(config, now()), *await asyncio.gather(*work)]
    finally:
        resolver.close()


async def ask_console(settings: ConsoleSettings) -> str | None:
    """Is a proctor running on the console's address?

    Returns:
        None if not, `""` if it takes traffic, else what it lacks.
    """
    scheme = "https" if settings.tls else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen.host, settings.listen.host)  # noqa: S104 - asked, not bound
    base = f"{scheme}://{Address(host=host, port=settings.listen.port)}"
    if settings.listen.port == 0:
        return None
    try:
        # Nothing is told to whoever answers, so their certificate does not matter.
        async with (
            asyncio.timeout(2 * _SECONDS),
            httpx.AsyncClient(verify=False, trust_env=False, timeout=_SECONDS) as client,  # noqa: S501 - as said
        ):
            health = (await client.get(f"{base}/healthz")).json()
            ready = (await client.get(f"{base}/readyz")).json()
    except (httpx.HTTPError, TimeoutError, ValueError):
        return None
    if not isinstance(health, dict) or health.get("service") != "proctor":
        return None
    missing = ready.get("missing") if isinstance(ready, dict) else None
    return ", ".join(map(str, missing)) if isinstance(missing, list) else "an answer"


async def ports(config: Config, *, running: str | None) -> Finding:
    """Are the addresses free, or held by a running proctor?"""
    if running:
        return Finding(
            check="running",
            state=State.FAIL,
            what=f"A proctor is running, but does not take traffic: {running}",
            mend="Its log says why.",
        )
    if running is not None:
        return Finding(check="running", state=State.OK, what="A proctor is running, and ready")
    for address in (config.console.listen, *(item.listen for item in config.doors)):
        try:
            listen(address).close()
        except ConfigurationError as error:
            mend = f"See who holds it (`ss -ltnp sport = :{address.port}`), or take another."
            return Finding(
                check="running", state=State.FAIL, what=f"{error.message}: {error.got}", mend=mend
            )
    return Finding(
        check="running", state=State.OK, what="No proctor is running; its ports are free"
    )


async def issuer_keys(settings: IssuerSettings, fetch: Fetch) -> Finding:
    """Does the issuer answer, and can its keys be used?"""
    check = f"issuer {settings.issuer}"
    if settings.introspection is not None and settings.introspection.endpoint is not None:
        return Finding(check=check, state=State.OK, what="It is asked about tokens one by one")
    try:
        if settings.introspection is not None:
            await discover(fetch, settings.issuer, settings.ca)
            return Finding(check=check, state=State.OK, what="It answers; tokens are asked about")
        keys = await load_keys(settings, fetch)
    except ProctorError as error:
        return failed(check, error)
    return Finding(check=check, state=State.OK, what=f"It answers with {len(keys.keys)} keys")


async def clock_skew(settings: IssuerSettings, now: Callable[[], datetime]) -> Finding:
    """Does the issuer's clock agree with ours?"""
    check = f"clock {settings.issuer}"
    try:
        context = ssl.create_default_context(cafile=settings.ca or certifi.where())
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=_SECONDS) as client:
            before = now()
            answer = await client.head(settings.issuer)
            theirs = parsedate_to_datetime(answer.headers["date"])
            # `Date` has whole seconds (RFC 9110, 6.6.1), and the way there took time, too.
            slack = (now() - before).total_seconds() + 1
            skew = max(0.0, abs((theirs - before).total_seconds()) - slack)
    except (httpx.HTTPError, OSError, KeyError, ValueError, TypeError):
        return Finding(
            check=check, state=State.WARN, what="It does not tell the time, so clocks are unchecked"
        )
    what = f"It differs by {skew:.0f} s from this machine's; {settings.leeway:g} s are allowed"
    if skew <= _SKEW_WARN:
        return Finding(check=check, state=State.OK, what="It agrees with this machine's")
    return Finding(
        check=check,
        state=State.FAIL if skew > settings.leeway else State.WARN,
        what=what,
        mend="Let both machines take their time by NTP.",
    )


async def credential(
    source: SecretSource, name: str, environment: Mapping[str, str], *, running: str | None
) -> Finding:
    """Is there a value for the credential? It is never shown."""
    check = f"credential {name}"
    try:
        secret = await read_secret(source, check, environment=environment)
    except ConfigurationError as error:
        if source.env is not None and running is not None:
            what = f"{source.env} is not set here, but the running proctor started with a value"
            return Finding(check=check, state=State.OK, what=what)
        return failed(check, error)
    if not searchable(secret.value):
        return Finding(
            check=check,
            state=State.WARN,
            what="It has a value that is too short or too plain to be told from ordinary text, so"
            " answers are not searched for it",
            mend=f"A random one of {SHORTEST} characters or more is taken out of answers.",
        )
    return Finding(check=check, state=State.OK, what="It has a value")


async def has_token(  # noqa: PLR0913 - all by name, each a thing of its own
    name: str,
    settings: OAuthSettings,
    fetch: Fetch,
    *,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    running: str | None,
) -> Finding:
    """Does the authorization server give a token? It is asked for one, which is shown to nobody."""
    check = f"token {name}"

    async def secret(source: SecretSource, what: str) -> str:
        return (await read_secret(source, what, environment=environment)).value

    if settings.grant is Grant.TOKEN_EXCHANGE:
        what = f"{settings.token_endpoint} is asked with a caller's token, which is not at hand"
        return Finding(check=check, state=State.OK, what=what)
    variable = settings.client_secret.env if settings.client_secret is not None else None
    if running is not None and variable is not None and variable not in environment:
        what = f"The running proctor asks {settings.token_endpoint}; {variable} is not set here"
        return Finding(check=check, state=State.OK, what=what)
    endpoint = TokenEndpoint(
        name, settings, fetch=fetch, secret=secret, clock=lambda: now().timestamp()
    )
    try:
        token = await endpoint.ask()
    except ProctorError as error:
        return failed(check, error)
    seconds = token.expires_at - token.got_at
    what = f"{settings.token_endpoint} gives one, good for {seconds:.0f} s"
    return Finding(check=check, state=State.OK, what=what)

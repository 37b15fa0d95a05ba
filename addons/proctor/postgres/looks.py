"""What can be wrong between a PostgreSQL listener and its server, for `proctor doctor`."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Final

from proctor.config import Config
from proctor.credentials.secrets import read_secret
from proctor.credentials.settings import CredentialSettings
from proctor.errors import ConfigurationError, ProctorError
from proctor.postgres.assembly import target_of
from proctor.postgres.settings import PostgresListener
from proctor.postgres.tls import Contexts
from proctor.postgres.upstream import dial
from proctor.postgres.weakness import weakness
from proctor.postgres.wires import Login
from proctor.runtime.checkup import Finding, State, failed

_SECONDS: Final = 5.0
_REFUSED: Final = "pg-database"
"""The server says so only to who has signed in."""


def servers(config: Config, environment: Mapping[str, str]) -> Iterator[Awaitable[Finding]]:
    """Two looks at each server with each credential: is it taken, and is it a weak one?

    Args:
        config: As loaded.
        environment: Where credentials may be.
    """
    known = {item.name: item for item in config.credentials}
    for listener in config.postgres:
        for name in dict.fromkeys(listener.credential_names):
            yield _server(listener, known[name], environment)
            yield _rights(listener, known[name], environment)


async def _rights(
    listener: PostgresListener, item: CredentialSettings, environment: Mapping[str, str]
) -> Finding:
    """What may it do that it should not?"""
    check = f"postgres {listener.name} {item.name} rights"
    if item.password is None:
        raise ValueError("checked when the configuration was loaded")
    try:
        secret = await read_secret(item.password, check, environment=environment)
    except ConfigurationError:
        return Finding(check=check, state=State.WARN, what="They were not looked at: no password")
    return await weakness(listener, item, secret.value, check)


async def _server(
    listener: PostgresListener, item: CredentialSettings, environment: Mapping[str, str]
) -> Finding:
    """Does it answer, is it trusted, and does it take the credential?"""
    check = f"postgres {listener.name} {item.name}"
    if item.user is None or item.password is None:
        raise ValueError("checked when the configuration was loaded")
    try:
        secret = await read_secret(item.password, check, environment=environment)
    except ConfigurationError:
        # The look at credentials has said why.
        return Finding(
            check=check, state=State.WARN, what=f"{listener.upstream} was not asked: no password"
        )
    login = Login(user=item.user, password=secret.value)
    try:
        async with asyncio.timeout(_SECONDS):
            end, welcome = await dial(
                target_of(listener, Contexts()),
                login,
                listener.database or item.user,
                {"application_name": "proctor doctor"},
            )
    except TimeoutError:
        return Finding(
            check=check,
            state=State.FAIL,
            what=f"{listener.upstream} does not answer",
            mend="Is it there, and may this machine reach it?",
        )
    except ProctorError as error:
        if error.code == _REFUSED and listener.database is None:
            what = f"{listener.upstream} takes it"
            return Finding(check=check, state=State.OK, what=what)
        return failed(check, error)
    end.abort()
    version = welcome.parameters.get("server_version", "?")
    return Finding(
        check=check, state=State.OK, what=f"{listener.upstream} ({version:.40}) takes it"
    )

"""What libpq needs so that psql, and what else is built on it, reaches a database by proctor."""

import shlex
from typing import Final

from proctor.cli.clients import REFERENCE, Setup, Step
from proctor.config import Config
from proctor.errors import ConfigurationError
from proctor.postgres.settings import PostgresListener
from proctor.units import is_loopback

USER: Final = "agent"
"""Any name does: the token says who it is."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced, not bound


def set_up_psql(settings: Config, listener: str | None, host: str | None) -> Setup:
    """What psql needs.

    Args:
        settings: As loaded.
        listener: Which one; None for the only one.
        host: The name by which clients reach this machine; None for the one it listens on.

    Raises:
        ConfigurationError: `listener-unfit`: there is none, or there are several.
    """
    found = [each for each in settings.postgres if listener in {None, each.name}]
    if len(found) != 1:
        named = ", ".join(each.name for each in settings.postgres)
        raise ConfigurationError(
            code="listener-unfit",
            message="No listener here is for psql" if not found else "Several are for psql",
            expected="a listener of `kind: postgres`" if not found else f"--listener, of {named}",
        )
    return _of(found[0], settings, host)


def _of(listener: PostgresListener, settings: Config, host: str | None) -> Setup:
    where = host or _EVERYWHERE.get(listener.listen.host, listener.listen.host)
    env = {"PGHOST": where, "PGPORT": str(listener.listen.port), "PGUSER": USER}
    if listener.database is not None:
        env["PGDATABASE"] = listener.database
    env["PGSSLMODE"] = "verify-full" if _over_tls(listener, where) else "disable"
    env["PGGSSENCMODE"] = "disable"
    steps = []
    if listener.sign_in == "password":
        env["PGPASSWORD"] = REFERENCE
    else:
        issuer = next(each for each in settings.identity.issuers if each.issuer != "local")
        told = f"oauth_issuer={issuer.issuer} oauth_client_id=CLIENT"
        steps.append(
            Step(
                why="This listener asks for a token by OAUTHBEARER (PostgreSQL 18):",
                commands=(f"psql {shlex.quote(told)}",),
            )
        )
    if env["PGSSLMODE"] != "disable":
        why = (
            "Set PGSSLROOTCERT to the file of the authority that signed the listener's certificate."
        )
        steps.append(Step(why=why))
    if listener.database is None:
        steps.append(Step(why="Set PGDATABASE to the database's name."))
    return Setup(env=env, unset=("PGHOSTADDR", "PGSERVICE"), steps=tuple(steps))


def _over_tls(listener: PostgresListener, host: str) -> bool:
    return listener.tls is not None or not is_loopback(host)

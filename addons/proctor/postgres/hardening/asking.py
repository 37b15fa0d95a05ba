"""What a listener's configuration asks for, by database and role."""

from collections.abc import Sequence

from proctor.credentials.settings import CredentialSettings
from proctor.postgres.hardening.model import Wanted
from proctor.postgres.masked import sensitive
from proctor.postgres.settings import PostgresListener

SCHEMA = "masked"
"""Where masked views go, unless something else is said."""


def roles(listener: PostgresListener, credentials: Sequence[CredentialSettings]) -> tuple[str, ...]:
    """Whose rights clients of a listener have."""
    if listener.session_role is not None:
        return listener.session_role.member_of
    users = {item.name: item.user for item in credentials}
    found = (users.get(name) for name in listener.credential_names)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def wanted(listener: PostgresListener, *, database: str, role: str, schema: str = SCHEMA) -> Wanted:
    """What is to be kept from a role.

    Args:
        listener: As configured.
        database: In which.
        role: From whom.
        schema: Where the views go.
    """
    masking = listener.masking
    return Wanted(
        listener=listener.name,
        database=database,
        role=role,
        schema=schema,
        columns=tuple(sensitive(each) for each in masking.columns) if masking else (),
        trusted=frozenset(str(each) for each in masking.trusted) if masking else frozenset(),
        login=listener.session_role is None,
        wire="wire" in listener.tiers,
    )

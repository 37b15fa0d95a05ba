"""Groups and the human behind a bot, out of the claims that an issuer puts them in."""

from collections.abc import Mapping
from typing import Any

from proctor.errors import AuthenticationError
from proctor.identity.refusals import refuse, shown

_MAX_GROUPS = 2000
MAX_NAME = 512
"""Characters of the longest group that is read."""


def lookup(claims: Mapping[str, Any], path: str) -> Any:
    """The claim at a path; None if it is not there.

    The whole path is tried as a name first (Auth0's are URLs, with dots in them), then its parts
    between dots as steps into objects (`realm_access.roles`, `act.sub`).
    """
    if path in claims:
        return claims[path]
    value: Any = claims
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def groups(claims: Mapping[str, Any], path: str | None) -> tuple[str, ...]:
    """The principal's groups as the issuer writes them, sorted; none if no path is configured.

    Raises:
        AuthenticationError: `token-groups` (no list of names) or `token-groups-overage`.
    """
    if path is None:
        return ()
    value = lookup(claims, path)
    if _moved_away(claims, path) or (value is None and claims.get("hasgroups") is True):
        raise refuse(
            "token-groups-overage",
            "The issuer left the groups out because there are too many, so they are unknown",
            got="_claim_names or hasgroups in the place of the groups",
            expected=f"the groups themselves in the claim {shown(path)}",
            hint="In Entra ID, emit only groups assigned to the application, or use app roles.",
        )
    if value is None:
        return ()
    names = [value] if isinstance(value, str) else value
    if (
        not isinstance(names, list)
        or len(names) > _MAX_GROUPS
        or not all(_is_name(name) for name in names)
    ):
        raise _wrong("token-groups", path, value, f"a list of at most {_MAX_GROUPS} names")
    return tuple(sorted(set(names)))


def human(claims: Mapping[str, Any], path: str | None) -> str | None:
    """The person behind a bot's token, or None where the token names none.

    Raises:
        AuthenticationError: `token-human`: something else is there.
    """
    value = None if path is None else lookup(claims, path)
    if path is None or value is None:
        return None
    if not _is_name(value):
        raise _wrong("token-human", path, value, "a name")
    return str(value)


def _moved_away(claims: Mapping[str, Any], path: str) -> bool:
    # OIDC Core 5.6.2: the members of _claim_names are the claims that are elsewhere.
    moved = claims.get("_claim_names")
    if moved is None:
        return False
    return not isinstance(moved, dict) or path in moved or path.partition(".")[0] in moved


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _wrong(code: str, path: str, value: object, expected: str) -> AuthenticationError:
    return refuse(
        code,
        f"The claim {shown(path)} cannot be read",
        got=shown(value),
        expected=expected,
        hint="Check the path in proctor.yaml against a token of this issuer.",
    )

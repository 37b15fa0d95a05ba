"""The tier `server`, asked for at every sign-in: do the server's rights keep the columns back?

Without it a table that was made anew, or a right that somebody gave, would open in silence what
the configuration says is closed. An answer is good for a minute.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ConfigurationError, RefusedError, UpstreamError
from proctor.postgres.hardening.reading import family, opened
from proctor.postgres.masked import sensitive
from proctor.postgres.settings import MaskingSettings
from proctor.postgres.side import Side, Target
from proctor.postgres.wires import Arrival

GOOD: Final = 60.0
"""Seconds that an answer is taken for."""

_MOST: Final = 1000  # answers kept; clients choose the names of databases


class Vouching:
    """Of one listener.

    Args:
        masking: With the tier `server`.
        target: Where a credential's connections to a database go.
        roles: Whose rights a credential's clients have, by its name.
        clock: Monotonic, seconds.
        one: The listener serves one database, which therefore has all the columns: a table that
            was renamed is not to be taken for none.
    """

    def __init__(
        self,
        masking: MaskingSettings,
        *,
        target: Callable[[str, str], Callable[[], Awaitable[Target]]],
        roles: Callable[[str], tuple[str, ...]],
        clock: Callable[[], float],
        one: bool,
    ) -> None:
        self._masking = masking
        self._columns = [sensitive(each) for each in masking.columns]
        self._target = target
        self._roles = roles
        self._clock = clock
        self._one = one
        self._good: dict[tuple[str, str], float] = {}

    async def check(self, arrival: Arrival, credential: str) -> None:
        """See that this caller cannot read what is to be masked.

        Args:
            arrival: Who, and in which database.
            credential: The name of what signs in for them.

        Raises:
            RefusedError: `server-tier-open`: the role may select one of the columns.
            UpstreamError: `sql-side`, `server-tier-unknown`: that cannot be told.
        """
        if not set(self._masking.unmasked_groups).isdisjoint(arrival.principal.groups):
            return
        key = (credential, arrival.database)
        if self._clock() < self._good.get(key, 0.0):
            return
        side = Side(self._target(credential, arrival.database))
        try:
            async with side.transaction(snapshot=True) as connection:
                found = await family(connection, self._columns, gone=not self._one)
                for role in self._roles(credential):
                    name = await opened(connection, role, found)
                    if name is not None:
                        raise _open(name[0])
        except ConfigurationError as error:
            raise _unknown(error.message) from None
        except asyncpg.PostgresError as error:
            raise _unknown(str(error.sqlstate)) from None
        finally:
            await side.close()
        if len(self._good) >= _MOST:
            self._good.clear()
        self._good[key] = self._clock() + GOOD


def _unknown(got: str) -> UpstreamError:
    return UpstreamError(
        "server-tier-unknown",
        "The server does not say what its rights keep back",
        got=got,
        hint="Ask whoever keeps proctor.yaml.",
    )


def _open(name: str) -> RefusedError:
    return RefusedError(
        "server-tier-open",
        f"{name} is to be kept back by the server, and is not",
        expected="`tier: server`, as `proctor postgres harden` makes it",
        hint="Ask whoever keeps proctor.yaml: `proctor postgres inventory` says what is open.",
    )

"""The masks of one listener's databases, made when first asked for and shared by its clients."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

from proctor.credentials.store import Credentials
from proctor.errors import RefusedError
from proctor.model import Principal
from proctor.postgres import side
from proctor.postgres.masking.masks import Masks
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.settings import ColumnSettings, MaskingSettings, PostgresListener
from proctor.postgres.tls import Contexts

MAX_KEPT: Final = 64
"""Databases whose masks are kept though nobody uses them; clients choose the names."""

_DEFAULT_PORT: Final = 5432

type _Key = tuple[str, str]


class Masking:
    """Of one listener.

    Args:
        listener: As configured.
        settings: What of its answers is hidden.
        credentials: What proctor signs in with.
        contexts: Trust towards the server.
    """

    def __init__(
        self,
        listener: PostgresListener,
        settings: MaskingSettings,
        credentials: Credentials,
        contexts: Contexts,
    ) -> None:
        self._listener = listener
        self._settings = settings
        self._credentials = credentials
        self._contexts = contexts
        self._sensitive = [sensitive(each) for each in settings.columns]
        self._trusted = frozenset(str(each) for each in settings.trusted)
        self._used: WeakValueDictionary[_Key, Masks] = WeakValueDictionary()
        self._kept: OrderedDict[_Key, Masks] = OrderedDict()
        self._sides: WeakValueDictionary[_Key, side.Side] = WeakValueDictionary()

    def masks(self, principal: Principal, database: str) -> Masks | None:
        """What is hidden from this principal in a database; None where nothing is.

        Raises:
            RefusedError: `credential-none`.
        """
        if not set(self._settings.unmasked_groups).isdisjoint(principal.groups):
            return None
        name = self._listener.names(principal.groups)
        if name is None:
            raise RefusedError("credential-none", "No credential of this listener is for you")
        key = (database, name)
        found = self._used.get(key)
        if found is None:
            asked = self._sides[key] = side.Side(
                target_of(self._listener, self._credentials, self._contexts, name, database)
            )
            found = self._used[key] = Masks(
                asked, self._sensitive, trusted=self._trusted, restoring=True
            )
        self._kept[key] = found
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found

    async def close(self) -> None:
        """Close the connections they ask by."""
        for each in list(self._sides.values()):
            await each.close()


def target_of(
    listener: PostgresListener,
    credentials: Credentials,
    contexts: Contexts,
    name: str,
    database: str,
) -> Callable[[], Awaitable[side.Target]]:
    """Where connections of our own go, and as whom, asked anew for each.

    Args:
        listener: As configured.
        credentials: What proctor signs in with.
        contexts: Trust towards the server.
        name: Of the credential.
        database: Its name.
    """
    files = listener.upstream_tls
    paths = (files.ca, files.cert, files.key) if files else (None, None, None)
    # What makes roles for sessions has rights that these do not have.
    groups = listener.session_role.member_of if listener.session_role else ()
    role = groups[0] if len(groups) == 1 else ""

    async def target() -> side.Target:
        user, secret = await credentials.login(name)
        host, port = place(listener)
        return side.Target(
            host=host,
            port=port,
            database=database,
            user=user,
            password=secret.value,
            role=role,
            tls=contexts.trusted(*paths) if listener.over_tls else None,
        )

    return target


def place(listener: PostgresListener) -> tuple[str, int]:
    """Host and port as libpq takes them: of a socket its folder, and the number in its name."""
    server = listener.upstream
    if not server.path:
        return server.host, server.port
    folder, _, name = server.path.rpartition("/")
    number = name.rpartition(".")[2]
    return folder, int(number) if number.isdecimal() else _DEFAULT_PORT


def sensitive(column: ColumnSettings) -> Sensitive:
    """A column of the configuration, as masking has it."""
    return Sensitive(
        schema=column.table.schema,
        table=column.table.name,
        column=column.column,
        method=Method(column.method),
        value=column.value or "",
        restore=column.restore,
    )

"""What all connections of a listener know together: texts that were read, names that were asked."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from proctor.errors import ClientError
from proctor.postgres.statements import Context, Judgement
from proctor.sql.alike import shape_of
from proctor.sql.escapes import conforming, misread
from proctor.sql.names import NO_NAMES, Names, Questions, answered
from proctor.sql.question import QUESTION
from proctor.sql.reading import read
from proctor.sql.statement import Script, SqlError

BUMP: Final = 10**9
"""What an epoch grows by with a change of the catalog."""

_PERIOD: Final = 10.0  # seconds
_MAX_READ: Final = 4096
_MAX_READ_BYTES: Final = 64 * 2**20
_PER_BYTE: Final = 160
LONG: Final = 64 * 1024
"""Bytes of a text from which on it is read off the event loop."""
_MAX_NAMES: Final = 4096
_MAX_ALIKE: Final = 1024

type Shape = tuple[object, ...]
"""What a statement's meaning depends on, beside some numbers: see `Shared.shape`."""
type Rows = list[list[bytes | None]]
type Ask = Callable[[str, Sequence[bytes]], Awaitable[Rows]]
"""Runs a query of ours in the client's own session."""


class Shared:
    """What all connections of a listener know together.

    Args:
        clock: Monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bumps: dict[str, int] = {}
        self._scripts: OrderedDict[tuple[bytes, str], Script | SqlError] = OrderedDict()
        self._weight = 0
        self._names: OrderedDict[tuple[object, ...], Names] = OrderedDict()
        self._alike: OrderedDict[Shape, Judgement] = OrderedDict()

    def changed(self, database: str) -> None:
        """The catalog of a database was changed."""
        self._bumps[database] = self._bumps.get(database, 0) + 1

    def epoch(self, database: str) -> int:
        """Grows with each change that came by, and every ten seconds for those that did not."""
        return self._bumps.get(database, 0) * BUMP + int(self._clock() / _PERIOD)

    async def read(self, text: bytes, encoding: str) -> Script:
        """Read a text.

        Raises:
            SqlError: It is none that PostgreSQL would take.
            ClientError: It is not in the client's encoding.
        """
        key = (text, encoding)
        found = self._scripts.get(key)
        if found is None:
            try:
                if len(text) > LONG:
                    found = await asyncio.to_thread(read, text.decode(encoding))
                else:
                    found = read(text.decode(encoding))
            except SqlError as error:
                found = error
            except UnicodeDecodeError:
                raise _undecodable() from None
            self._keep(key, found)
        if isinstance(found, SqlError):
            raise found
        return found

    @staticmethod
    def shape(text: bytes, database: str, context: Context) -> Shape | None:
        """What other texts may have in common with this one; None where they do not."""
        if not context.path or any(schema.startswith("pg_temp") for schema in context.path):
            return None
        shape = shape_of(text)
        login = (context.login, context.role, context.in_transaction)
        return None if shape is None else (shape, database, context.path, login, context.epoch)

    def alike(self, shape: Shape) -> Judgement | None:
        """A statement of the same shape."""
        return self._alike.get(shape)

    def remember(self, shape: Shape, found: Judgement) -> None:
        """Remember one for others of its shape."""
        if found.inner is None and found.plan is None:
            # Without its tree, which is large and seldom needed.
            statement = replace(found.statement, parsed=None)
            self._alike[shape] = replace(found, statement=statement)
            if len(self._alike) > _MAX_ALIKE:
                self._alike.popitem(last=False)

    @staticmethod
    async def conforming(text: bytes, encoding: str) -> tuple[bytes, tuple[int, ...]]:
        """A text as it reads alike whatever `standard_conforming_strings` is: see sql/escapes.py.

        Raises:
            ClientError: It is not in the client's encoding, or cannot be written so.
        """
        try:
            given = text.decode(encoding)
        except UnicodeDecodeError:
            raise _undecodable() from None
        if len(text) > LONG:
            found, inserted = await asyncio.to_thread(conforming, given)
        else:
            found, inserted = conforming(given)
        sent = found.encode(encoding) if inserted else text
        if inserted and given.encode(encoding) != text:
            raise misread()  # in an encoding that has two ways to write something
        return sent, inserted

    def _keep(self, key: tuple[bytes, str], found: Script | SqlError) -> None:
        if key in self._scripts or _weight(key[0]) > _MAX_READ_BYTES // 4:
            return  # read twice at a time, or no room for it beside others
        self._scripts[key] = found
        self._weight += _weight(key[0])
        while len(self._scripts) > _MAX_READ or self._weight > _MAX_READ_BYTES:
            (text, _), _ = self._scripts.popitem(last=False)
            self._weight -= _weight(text)

    async def names(
        self, where: tuple[str, str], context: Context, questions: Questions, ask: Ask
    ) -> Names:
        """What names mean in this context."""
        if not questions:
            return NO_NAMES
        # Temporary tables are a session's own, and the next one may have others under this name.
        own = any(schema.startswith("pg_temp") for schema in context.path)
        key = (where, context.path, context.role, context.epoch, questions)
        found = None if own else self._names.get(key)
        if found is None:
            found = answered(await ask(QUESTION, questions.parameters()))
            if found.standard_conforming_strings is not context.strings:
                raise misread()
            if not own:
                self._names[key] = found
                if len(self._names) > _MAX_NAMES:
                    self._names.popitem(last=False)
        return found


def _undecodable() -> ClientError:
    return ClientError("sql-encoding", "The statement is not in the encoding the client has named")


def _weight(text: bytes) -> int:
    """What a text that was read takes in memory, estimated from its length; bytes."""
    return 4096 + _PER_BYTE * len(text)

"""Plans for statements, by what the server resolves them to; remembered while that holds."""

import asyncio
import itertools
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.errors import ProctorError, RefusedError
from proctor.postgres.masking.catalog import Catalog, changes, load
from proctor.postgres.masking.lineage import Lineage, UnknownViewError, trace
from proctor.postgres.masking.model import (
    Context,
    Kind,
    Known,
    Plan,
    Restores,
    Sensitive,
    closed,
    masked,
    unresolved,
)
from proctor.postgres.masking.nodes import read_tree
from proctor.postgres.masking.shape import Name, Shape, has_parameters, names, read_shape, tokens
from proctor.postgres.side import Connection, Side, identifier
from proctor.redaction.surrogates import TOKEN
from proctor.runtime.tasks import spawn

log = logging.getLogger(__name__)

_FRESH: Final = 2.0  # seconds that what is known of the catalog is good for
_SOON: Final = 1.0  # seconds after which it is asked again, while nobody waits
_OLD: Final = 60.0  # seconds that a plan lives at most
_PLANS: Final = 4096
_LONGEST: Final = 64 * 1024  # characters of a text whose plan is remembered
_MAX_VIEWS: Final = 200  # views behind one statement
_MAX_ARGUMENTS: Final = 100  # of a function (FUNC_MAX_ARGS)
_MAX_WORDS: Final = 300  # characters of the server's
_NAME: Final = "proctor_reads"
_NO_RIGHT: Final = "42501"
# What a name means is not known here: relation, column, schema, type, function, table.
_GONE: Final = frozenset({"42P01", "42703", "3F000", "42704", "42883", "42P10"})
_numbers = itertools.count(1)

_TREE: Final = """
SELECT p.prosqlbody::text AS tree,
  ARRAY(SELECT s::text FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) s
    WHERE s !~ '^pg_temp_' AND s <> 'pg_catalog') AS path,
  ARRAY(SELECT c.oid::int8 FROM pg_catalog.pg_class c
    WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()) AS temporary
FROM pg_catalog.pg_proc p
WHERE p.proname = 'proctor_reads' AND p.pronamespace = pg_catalog.pg_my_temp_schema()"""
_TYPES: Final = """
SELECT ARRAY(SELECT pg_catalog.format_type(t, NULL)
  FROM pg_catalog.unnest(parameter_types::pg_catalog.oid[]) WITH ORDINALITY u(t, n)
  ORDER BY n) FROM pg_catalog.pg_prepared_statements WHERE name = $1"""
_FORMATS: Final = """
SELECT ARRAY(SELECT pg_catalog.format_type(t, NULL)
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY u(t, n) ORDER BY n)"""
_REGCLASS: Final = "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid::int8"
_NUMBERS: Final = """
SELECT ARRAY(SELECT attnum::pg_catalog.int8 FROM pg_catalog.pg_attribute
  WHERE attrelid = $1::pg_catalog.int8::pg_catalog.oid AND attname = ANY ($2::pg_catalog.text[]))"""
_COMMITTED: Final = "SELECT FROM pg_catalog.pg_class WHERE oid = ANY ($1::pg_catalog.oid[])"
_CALLED: Final = """
SELECT oid::int8 AS oid FROM pg_catalog.pg_proc WHERE proname = ANY ($1::pg_catalog.text[])
UNION ALL
SELECT oprcode::pg_catalog.oid::int8 FROM pg_catalog.pg_operator WHERE oid >= 16384"""


@dataclass(frozen=True, slots=True)
class _Made:
    """A plan, and when it was made."""

    plan: Plan
    at: float


class Masks:
    """For one listener and database, as one login sees it.

    Args:
        side: Its side connections.
        sensitive: The columns that must not be seen.
        trusted: Views and functions, as `schema.name`, that show nothing they should not.
        restoring: Whoever uses the plans turns surrogates back (`Plan.restores`); where nobody
            does, a column may not be compared with anything.
        clock: Monotonic, seconds.
    """

    def __init__(
        self,
        side: Side,
        sensitive: Sequence[Sensitive],
        *,
        trusted: frozenset[str] = frozenset(),
        restoring: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._side = side
        self._sensitive = tuple(
            replace(column, restore=column.restore and restoring) for column in sensitive
        )
        self._trusted = trusted
        self._clock = clock
        self._catalog: Catalog | None = None
        self._word = ""
        self._asked = float("-inf")
        self._turn = 0
        self._known_turn = -1
        self._lock = asyncio.Lock()
        self._asking: asyncio.Task[Catalog] | None = None
        self._plans: OrderedDict[_Key, _Made] = OrderedDict()

    @property
    def sensitive(self) -> Known:
        """Sensitive columns of tables, as last known."""
        return self._catalog.known if self._catalog else {}

    @property
    def texts(self) -> frozenset[int]:
        """OIDs of types whose values are texts though they are none of PostgreSQL's own."""
        return self._catalog.texts if self._catalog else frozenset()

    @property
    def missing(self) -> tuple[Sensitive, ...]:
        """Configured columns that were not in the database when last asked for."""
        return self._catalog.missing if self._catalog else ()

    def changed(self) -> None:
        """Something in the catalog may have changed: what is known of it holds no more."""
        self._turn += 1

    def cached(self, text: str, context: Context) -> Plan | None:
        """A plan that was made before and still holds; None: ask `plan`."""
        now = self._clock()
        if self._known_turn != self._turn or now - self._asked > _FRESH:
            return None
        if now - self._asked > _SOON and (self._asking is None or self._asking.done()):
            self._asking = spawn(self._current(_SOON), name="postgres.masks")
        key = _key(text, context)
        made = self._plans.get(key)
        if made is None or now - made.at > _OLD:
            return None
        self._plans.move_to_end(key)
        return made.plan

    async def plan(self, text: str, context: Context) -> Plan:
        """What becomes of a statement's output.

        Args:
            text: One statement.
            context: What its meaning depends on.

        Raises:
            RefusedError: It could show what must not be seen, or cannot be resolved.
            UpstreamError: Code `sql-side`: the server could not be asked.
            InternalError: Code `sql-plan`: FETCH or EXECUTE.
        """
        catalog = await self._current(_FRESH)
        if (plan := self.cached(text, context)) is not None:
            return plan
        shape = read_shape(text)
        plan = await self._made(text, shape, context, catalog)
        if len(text) <= _LONGEST and catalog is self._catalog:
            self._plans[_key(text, context)] = _Made(plan, self._clock())
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        return plan

    async def _current(self, age: float) -> Catalog:
        """What is known of the catalog, no older than `age` seconds."""
        async with self._lock:
            turn, catalog = self._turn, self._catalog
            now = self._clock()
            fresh = self._known_turn == turn and now - self._asked <= age
            if catalog is not None and fresh:
                return catalog
            async with self._side.transaction(snapshot=True) as connection:
                try:
                    word = await changes(connection, catalog) if catalog else ""
                    if catalog is None or word != self._word:
                        former = catalog.known if catalog else {}
                        catalog = await load(connection, self._sensitive, self._trusted, former)
                        word = await changes(connection, catalog)
                        self._plans.clear()
                        self._tell(catalog)
                except asyncpg.PostgresError as error:
                    raise unresolved(f"the catalog ({error.sqlstate})") from None
            self._catalog, self._word = catalog, word
            self._asked, self._known_turn = now, turn
            return catalog

    def _tell(self, catalog: Catalog) -> None:
        if catalog.missing and (not self._catalog or catalog.missing != self._catalog.missing):
            log.warning(
                "Columns to mask are not in the database: %s",
                ", ".join(one.name for one in catalog.missing),
                extra={"event": "postgres.masking.missing"},
            )

    async def _made(self, text: str, shape: Shape, context: Context, catalog: Catalog) -> Plan:
        if not shape.body and not shape.untouched:
            return Plan(hide_errors=shape.hide)
        async with self._side.transaction(path=_path(context), role=context.role) as connection:
            for name in shape.untouched:
                await self._untouched(connection, name, shape.why, catalog)
            if not shape.body:
                return Plan(hide_errors=shape.hide)
            refusal: ProctorError | None = None
            found: Lineage | None = None
            try:
                found = await self._traced(connection, shape, context, catalog)
            except asyncpg.PostgresError as error:
                refusal = _told(error)
                if error.sqlstate not in _GONE:
                    raise refusal from None
        if found is None:
            found = await self._by_names(text, context, catalog)
        if found is None:
            raise refusal or unresolved("nothing")
        return _plan(text, shape, found, catalog)

    async def _untouched(
        self, connection: Connection, name: Name, why: str, catalog: Catalog
    ) -> None:
        written = ".".join(identifier(part) for part in (name.schema, name.name) if part)
        try:
            oid = await connection.fetchval(_REGCLASS, written)
        except asyncpg.PostgresError as error:
            raise _told(error) from None
        first = catalog.touches(oid) if oid else None
        if first is not None and name.columns:
            numbers = await connection.fetchval(_NUMBERS, oid, list(name.columns))
            first = next((one for each in numbers if (one := catalog.column(oid, each))), None)
        if first is not None:
            raise closed(f"a change of a table with {first.name}", why)
        if oid and catalog.trusts(oid):
            raise closed(f"a change of {written}", "views that are trusted stay as they are")

    async def _traced(
        self, connection: Connection, shape: Shape, context: Context, catalog: Catalog
    ) -> Lineage:
        await _mirror(connection, context)
        body, arguments = await _arguments(connection, shape, context)
        # The extended protocol takes one statement: a text that is read otherwise there than here
        # cannot bring a second one.
        await connection.fetch(
            f"CREATE FUNCTION pg_temp.{_NAME}({', '.join(arguments)}) RETURNS pg_catalog.void"
            f" LANGUAGE sql BEGIN ATOMIC {body}\n; END"
        )
        (row,) = await connection.fetch(_TREE)
        found = await self._followed(connection, row["tree"], catalog)
        if context.relations is None:
            if [one for one in context.search_path if not _implicit(one)] != row["path"]:
                raise unresolved("another search path", "the schemas that the login may use")
        else:
            seen = {one.oid for one in context.named} | set(row["temporary"])
            if not found.relations <= seen:
                raise unresolved("a name that means another relation to the session itself")
        return found

    async def _followed(self, connection: Connection, text: str, catalog: Catalog) -> Lineage:
        try:
            tree = read_tree(text)
            for _ in range(_MAX_VIEWS):
                try:
                    found = trace(tree, catalog)
                except UnknownViewError as error:
                    await catalog.read_view(connection, error.oid)
                else:
                    break
            else:
                raise unresolved("too many views behind one statement")
        except ValueError:
            raise unresolved("a tree of the server's that cannot be read") from None
        refused = await catalog.refuses(connection, found.functions, self._trusted)
        if refused is not None:
            raise closed(f"the function {refused[0]}", refused[1])
        return found

    async def _by_names(self, text: str, context: Context, catalog: Catalog) -> Lineage | None:
        """What names alone tell of a statement that only the session itself can resolve.

        Its tables are not committed yet. What is made on a masked listener holds no value of a
        masked column, so that only what was there before matters.

        Returns:
            None where it may reach a masked column.
        """
        if context.relations is None:
            return None
        oids = {one.oid for one in context.named}
        if any(catalog.touches(oid) or catalog.closed(oid) or catalog.ruled(oid) for oid in oids):
            return None
        async with self._side.transaction() as connection:
            views = [one.oid for one in context.named if one.kind in "vm"]
            if await connection.fetch(_COMMITTED, views):
                return None
            rows = await connection.fetch(_CALLED, list(names(text)))
            if await catalog.refuses(connection, {row["oid"] for row in rows}, self._trusted):
                return None
        return Lineage(relations=oids, written=oids)


type _Key = tuple[str, Context, tuple[int, ...]]


def _key(text: str, context: Context) -> _Key:
    return text, context, tuple(one.oid for one in context.named)


def _implicit(schema: str) -> bool:
    return schema == "pg_catalog" or schema.startswith("pg_temp")


def _path(context: Context) -> tuple[str, ...]:
    """The session's search path in another session, which has temporary tables of its own."""
    return tuple("pg_temp" if one.startswith("pg_temp") else one for one in context.search_path)


async def _mirror(connection: Connection, context: Context) -> None:
    """Make the session's temporary tables: nothing of a masked column is in them."""
    tables = [one for one in context.named if one.temporary]
    if not tables:
        return
    types = [column.type for table in tables for column in table.columns]
    written = iter(await connection.fetchval(_FORMATS, types))
    for table in tables:
        name = f"pg_temp.{identifier(table.name)}"
        columns = ", ".join(f"{identifier(one.name)} {next(written)}" for one in table.columns)
        kind = f"SEQUENCE {name}" if table.kind == "S" else f"TABLE {name} ({columns})"
        await connection.fetch(f"CREATE TEMPORARY {kind}")


async def _arguments(
    connection: Connection, shape: Shape, context: Context
) -> tuple[str, Sequence[str]]:
    """The body, and the types of the parameters in it, as the server makes them out."""
    if not has_parameters(shape.body):
        return shape.body, ()
    said = shape.types
    if not said and any(context.types):
        known = await connection.fetchval(_FORMATS, list(context.types))
        pairs = zip(context.types, known, strict=True)
        said = f"({', '.join(name if oid else 'unknown' for oid, name in pairs)})"
    # Preparing is no part of the transaction; the name is free again whatever comes of it.
    name = f"{_NAME}_{next(_numbers)}"
    await connection.fetch(f"PREPARE {name}{said} AS {shape.body}")
    types = await connection.fetchval(_TYPES, name)
    await connection.execute(f"DEALLOCATE {name}")
    if len(types) <= _MAX_ARGUMENTS:
        return shape.body, types
    parts: list[str] = []
    done = 0
    for token in tokens(shape.body):
        if token.parameter:
            kind = types[int(token.text[1:]) - 1]
            parts += (shape.body[done : token.start], f"(NULL::{kind})")
            done = token.end
    return "".join((*parts, shape.body[done:])), ()


def _plan(text: str, shape: Shape, found: Lineage, catalog: Catalog) -> Plan:
    shown = next(filter(None, found.outputs), None)
    if shown is not None and not shape.shows:
        raise masked(shown.name, "something that is stored, copied or shown otherwise")
    changed = found.relations if shape.writes else found.written
    return Plan(
        columns=found.outputs if shown is not None and shape.kind is not Kind.TEXT else (),
        hide_errors=shape.hide or found.touched or any(map(catalog.linked, changed)),
        restores=_restores(text, shape, found),
        kind=shape.kind,
        content=shape.content,
    )


def _restores(text: str, shape: Shape, found: Lineage) -> Restores:
    """Surrogates that are turned back; each of them wherever it stands in the text."""
    if not found.literals and not found.parameters:
        return Restores()
    if not shape.restores:
        raise unresolved(
            "a surrogate in a statement that shows or stores what it is turned back into",
            "SELECT, INSERT, UPDATE or DELETE",
        )
    if found.parameters and shape.kind is Kind.PREPARED:
        raise unresolved("a parameter of PREPARE", "the surrogate itself, or Parse and Bind")
    words: list[str] = []
    for column, data in found.literals:
        word = data.decode("utf-8", "replace")
        if not TOKEN.fullmatch(word):
            raise masked(column.name, "a comparison with something else than a surrogate")
        words.append(word)
    written = Counter(token.text for token in tokens(text) if words and not token.parameter)
    for word, times in Counter(words).items():
        if written[f"'{word}'"] != times:
            raise unresolved(
                "a surrogate that stands elsewhere, too", "the surrogate as a parameter"
            )
    return Restores(parameters=frozenset(found.parameters), literals=tuple(words))


def _told(error: asyncpg.PostgresError) -> ProctorError:
    """The server's own words: they are about names and the text itself, never about rows."""
    code = error.sqlstate or ""
    hint = ""
    if code == _NO_RIGHT:
        hint = "The listener's login needs the right TEMPORARY in the database."
    words = str(error.args[0]) if error.args else type(error).__name__
    return RefusedError("sql-masked-unresolved", words[:_MAX_WORDS], got=code, hint=hint)

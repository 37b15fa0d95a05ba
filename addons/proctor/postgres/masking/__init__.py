"""Columns that must not be seen: which of a statement's output they are, and rows without them.

The server says what a statement does: on a side connection, in a transaction that is rolled back,
the statement becomes the body of a function that is never called
(`CREATE FUNCTION pg_temp.… BEGIN ATOMIC …`, PostgreSQL 14 and later). What the server then keeps in
`pg_proc.prosqlbody` is the statement as its own analysis resolved it: every column reference is a
table's OID and a column's number. A reference to a sensitive column that is no plain output column
is refused; so is all that cannot be resolved and could reach one.

One `Masks` for a listener, database and login; one `Plan` for a statement's text:

    masks = Masks(Side(target), sensitive, trusted=frozenset({"public.masked_users"}),
                  restoring=True)           # only where `plan.restores` is followed, see below
    context = Context(search_path=names.path, role="", types=(), relations=names.relations)
    plan = masks.cached(text, context) or await masks.plan(text, context)

    plan.masks            # whether rows have to go through `Rows`
    plan.hide_errors      # ErrorResponse and NoticeResponse of it go through `strip`
    plan.names            # ("public.users.email",): for the record's masked_columns
    plan.restores         # surrogates in it go upstream as values: restore_text, restore_parameters
                          # every Bind, and the text; else a guess could be compared with a column
    plan.kind             # rows | cursor | prepared | text: whose rows `plan.columns` is about
    plan.content          # its rows hold what stands in tables: for the content tier

`cursor` (DECLARE) and `prepared` (PREPARE) plans are for the rows of a later FETCH or EXECUTE of
that name: whoever keeps the session's names keeps the plan with them. FETCH and EXECUTE themselves
are not planned: `plan` raises InternalError for them. Every other statement is, also one that holds
an EXECUTE (CREATE TABLE … AS EXECUTE, EXPLAIN EXECUTE). For the extended protocol a plan is made at
Parse (`types`: the OIDs that Parse gives, 0 for unknown) and holds for every portal.

    verify(plan, fields, masks.sensitive)   # every RowDescription on a masked listener
    rows = Rows(plan, fields, formats, masks.sensitive, operators, encoding="utf-8",
                texts=masks.texts)          # at RowDescription or Bind
    rows.mask(body)                         # body of one DataRow → body of one DataRow
    rows.run(data)                          # whole DataRow messages → whole DataRow messages
    rows.commit()                           # before any of the rows leave: the vault keeps them
    read_row_description(body)              # → the fields

    ContentRows(screen, principal, session, mask=True)   # the content tier: `rows`, `copied`

`masks.changed()`: call it when a statement that changes the catalog has ended, and again when its
transaction has (`sql.Change.CATALOG`). Changes by others are seen within two seconds.

Errors that `plan` raises, all RefusedError, for the client:
    sql-masked            a sensitive column stands elsewhere than as a plain output column
    sql-masked-closed     a relation, function or statement that could tell of one
    sql-masked-unresolved PostgreSQL could not resolve it: its words are the message (names and the
                          client's own literals, no values)
and UpstreamError `sql-side`: the side connection failed; nothing is known, so nothing passes.
"""

from proctor.postgres.masking.content import ContentRows, Looked
from proctor.postgres.masking.errors import strip
from proctor.postgres.masking.masks import Masks
from proctor.postgres.masking.model import Context, Kind, Method, Plan, Restores, Sensitive
from proctor.postgres.masking.rows import FieldDescription, Rows, read_row_description, verify
from proctor.postgres.masking.surrogates import restore_parameters, restore_text

__all__ = [
    "ContentRows",
    "Context",
    "FieldDescription",
    "Kind",
    "Looked",
    "Masks",
    "Method",
    "Plan",
    "Restores",
    "Rows",
    "Sensitive",
    "read_row_description",
    "restore_parameters",
    "restore_text",
    "strip",
    "verify",
]

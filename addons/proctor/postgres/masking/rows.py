"""Rows of an answer with the masked columns rewritten (PostgreSQL, 54.7)."""

from collections.abc import Sequence
from struct import Struct, error
from typing import Final, NamedTuple

from proctor.errors import ClientError, InternalError
from proctor.postgres.masking.model import Known, Plan
from proctor.postgres.masking.runs import written
from proctor.postgres.masking.values import Always, Change, Means, change_for
from proctor.redaction.operators import Operators

try:
    from proctor.postgres.masking._run import run as masked
except ImportError:  # it was installed without a compiler
    from proctor.postgres.masking.runs import run as masked

_COUNT: Final = Struct("!H")
_FIELD: Final = Struct("!IhIhih")
_HEAD: Final = Struct("!BI")
_ROW: Final = ord("D")


class FieldDescription(NamedTuple):
    """One column of an answer.

    Attributes:
        name: As the client sees it.
        table: OID of the relation it is a column of; 0 for none.
        number: Of the column in it; 0 for none.
        type: OID of its type.
        binary: Its format, where that is known already.
    """

    name: bytes
    table: int
    number: int
    type: int
    binary: bool


def read_row_description(body: bytes) -> tuple[FieldDescription, ...]:
    """Read the body of a RowDescription.

    Raises:
        ClientError: Code `pg-message`: it is none.
    """
    found: list[FieldDescription] = []
    at = 2
    try:
        (count,) = _COUNT.unpack_from(body)
        for _ in range(count):
            end = body.index(0, at)
            table, number, oid, _, _, form = _FIELD.unpack_from(body, end + 1)
            found.append(FieldDescription(bytes(body[at:end]), table, number, oid, form == 1))
            at = end + 1 + _FIELD.size
    except (error, ValueError):
        at = -1
    if at != len(body):
        raise ClientError(
            "pg-message",
            "This is no message of PostgreSQL's protocol that can be taken here",
            got="a RowDescription that does not end where the message does",
        )
    return tuple(found)


def verify(plan: Plan, fields: Sequence[FieldDescription], known: Known) -> None:
    """That no column which the server says is a sensitive one goes out as it is.

    Args:
        plan: Of the statement.
        fields: What it answers with.
        known: Sensitive columns by relation and number.

    Raises:
        InternalError: Code `sql-masking`: plan and answer do not fit.
    """
    if plan.columns and len(plan.columns) != len(fields):
        raise _unfit(f"{len(fields)} columns instead of {len(plan.columns)}")
    for index, one in enumerate(fields):
        column = known.get((one.table, one.number))
        if column is not None and not (plan.columns and plan.columns[index]):
            raise _unfit(f"column {index + 1}, which is {column.name}")


class Rows:
    """Masks the rows of one answer. For one thread.

    Args:
        plan: Of the statement.
        fields: What it answers with.
        formats: As Bind asks for them: none for text, one for all columns, or one each; None where
            `fields` knows them.
        known: Sensitive columns by relation and number.
        operators: Make hashes and surrogates; where there are none, both become NULL.
        encoding: Python's name for the client's.
        texts: OIDs of more types that are texts, such as citext.

    Raises:
        InternalError: Code `sql-masking`: plan and answer do not fit.
    """

    def __init__(  # noqa: PLR0913 - what it goes by
        self,
        plan: Plan,
        fields: Sequence[FieldDescription],
        formats: Sequence[int] | None,
        known: Known,
        operators: Operators | None,
        *,
        encoding: str = "utf-8",
        texts: frozenset[int] = frozenset(),
    ) -> None:
        verify(plan, fields, known)
        self._operators = operators
        means = Means(operators=operators, encoding=encoding, texts=texts)
        self._count = len(fields)
        binary = formats_of(fields, formats)
        changes: list[Change | None] = [
            change_for(column, one.type, binary=form, means=means) if column else None
            for column, one, form in zip(plan.columns, fields, binary, strict=False)
        ]
        # Columns behind the last one that is masked are never looked at.
        while changes and changes[-1] is None:
            changes.pop()
        self._changes = tuple(changes)
        self._constants = tuple(
            written(change.value) if isinstance(change, Always) else None for change in changes
        )

    def mask(self, row: bytes) -> bytes:
        """The body of one DataRow, masked.

        Raises:
            InternalError: Code `sql-masking`: it does not fit its description.
        """
        return self.run(_HEAD.pack(_ROW, len(row) + 4) + row)[_HEAD.size :]

    def run(self, data: bytes) -> bytes:
        """Several whole DataRow messages, masked.

        Raises:
            InternalError: Code `sql-masking`: they are none, or do not fit their description.
        """
        found = masked(data, self._count, self._changes, self._constants)
        if found is None:
            raise _unfit("rows that do not fit their description")
        return found

    def commit(self) -> None:
        """Have the vault keep what surrogates stand for; before any of the rows leaves.

        Raises:
            RedactionError: Code `redaction-vault`: nothing may leave.
        """
        if self._operators is not None:
            self._operators.commit()


def formats_of(
    fields: Sequence[FieldDescription], formats: Sequence[int] | None
) -> tuple[bool, ...]:
    """Of each column, whether it is binary.

    Args:
        fields: Of the answer.
        formats: As Bind asks for them; None where `fields` knows them.

    Raises:
        InternalError: Code `sql-masking`: they do not fit.
    """
    if formats is None:
        return tuple(one.binary for one in fields)
    if len(formats) <= 1:
        return (bool(formats and formats[0]),) * len(fields)
    if len(formats) != len(fields):
        raise _unfit(f"{len(formats)} formats for {len(fields)} columns")
    return tuple(map(bool, formats))


def _unfit(got: str) -> InternalError:
    return InternalError(
        "sql-masking",
        "The answer is not what was planned for, so that it cannot be masked",
        got=got,
        expected="the columns that the server said it would show",
        hint="Run it again: the table may have changed in between.",
    )

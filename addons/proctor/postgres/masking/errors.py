"""ErrorResponse and NoticeResponse without what may hold values of masked columns.

The server quotes rows ("Failing row contains …"), keys ("Key (email)=(…)") and the input of casts;
triggers and functions say what they like. Severity and SQLSTATE stay, all words go.
"""

from proctor.errors import InternalError
from proctor.protocols.postgres.fields import Fields

HIDDEN = "PostgreSQL's words are hidden, since they may hold values of masked columns"


def strip(fields: Fields) -> Fields:
    """An error or a notice of a statement whose plan says `hide_errors`.

    Take it for everything that comes from such a statement's first message to the end of its
    answer, and also for what comes where no statement is known to run.
    """
    return Fields(
        severity=fields.severity,
        code=fields.code,
        message=HIDDEN,
        hint="The SQLSTATE says what kind of error it is (PostgreSQL, Appendix A).",
    )


def unmasked() -> InternalError:
    """Rows came of which nobody knows what they hold."""
    return InternalError(
        "pg-undescribed", "Rows came that cannot be masked, so none of them are passed on"
    )

"""What can be wrong with exports, from what each says of itself in the record."""

from collections.abc import Iterator
from datetime import UTC, datetime

from proctor.config import Config
from proctor.errors import ConfigurationError
from proctor.export import cursor as cursors
from proctor.runtime.checkup import Finding, State, failed

_LONG = 300.0


def exports_findings(config: Config, now: datetime) -> Iterator[Finding]:
    """Does every sink take what is recorded?

    Args:
        config: As loaded.
        now: The time, UTC.
    """
    for item in config.exports:
        check = f"export {item.name}"
        try:
            found = cursors.read(config.audit.path, item.name)
        except ConfigurationError as error:
            yield failed(check, error)
            continue
        told = f"{found.sent} records sent to {item.place}"
        if found.missed:
            yield Finding(
                check=check,
                state=State.WARN,
                what=f"{found.missed} records were dropped by retention before they were sent",
                mend="Keep records for longer than the sink may be down.",
            )
        if found.refused:
            yield Finding(
                check=check,
                state=State.WARN,
                what=f"{item.place} would not take {found.refused} records",
                mend=f"Their ids are in {config.audit.path / cursors.FOLDER}/{item.name}"
                ".refused.jsonl; `proctor export` sends them another way.",
            )
        if not found.failing:
            yield Finding(check=check, state=State.OK, what=told)
            continue
        since = _moment(found.failing_since, now)
        long = (now - since).total_seconds() >= _LONG
        yield Finding(
            check=check,
            state=State.FAIL if long else State.WARN,
            what=f"{item.place} has not taken anything since {since:%Y-%m-%d %H:%M} UTC:"
            f" {found.failing}",
            mend="Nothing is lost: all of it is sent once the sink takes it again.",
        )


def _moment(text: str, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return now

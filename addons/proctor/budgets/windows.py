"""When a budget's window began, and when the next one does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def window(over: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """The window that `now` lies in: its beginning, and that of the next.

    A day of a time zone has 23 or 25 hours where clocks change.

    Args:
        over: `hour`, `day` or `month`.
        zone: IANA name of the time zone.
        now: The time.
    """
    if over == "hour":
        begin = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return begin, begin + timedelta(hours=1)
    place = ZoneInfo(zone)
    local = now.astimezone(place)
    midnight = datetime(local.year, local.month, local.day, tzinfo=place)
    if over == "day":
        following = midnight.date() + timedelta(days=1)
    else:
        midnight = midnight.replace(day=1)
        following = (midnight.date() + timedelta(days=31)).replace(day=1)
    return midnight, datetime(following.year, following.month, following.day, tzinfo=place)

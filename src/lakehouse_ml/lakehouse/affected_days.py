"""Which days a new record can change."""

from collections.abc import Iterable
from datetime import date, timedelta

DAY = timedelta(days=1)


def days_between(first: date, last: date) -> set[date]:
    """Every day from first to last, both included; none when last is before first."""
    return {first + n * DAY for n in range((last - first).days + 1)}


def days_reached(published: Iterable[date], lookback: timedelta | None, last: date) -> set[date]:
    """Days that hold an instant within ``[published_at, published_at + lookback]`` of some record.

    Args:
        published: Days (UTC) on which the records were published.
        lookback: How long after its publication a record counts. None: for ever.
        last: No later day is of interest.
    """
    reached: set[date] = set()
    for day in sorted(set(published)):
        end = last if lookback is None else min(last, day + _whole_days(lookback))
        reached |= days_between(day, end)
    return reached


def _whole_days(duration: timedelta) -> timedelta:
    return -(-duration // DAY) * DAY

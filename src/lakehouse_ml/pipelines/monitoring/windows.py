"""Windows of whole days on a fixed grid, so that every run and every version cuts time at the same places."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pydantic import Field
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse_ml.pipelines.monitoring.params import Params

# A Monday: windows of seven days are weeks as people know them.
EPOCH = date(1970, 1, 5)


class WindowParams(Params):
    """The grid.

    Attributes:
        days: Length of a window.
        history: Newest complete windows that a run looks at; older ones that are not stored stay so.
        newest_days: Days up to the run's now that are also looked at one by one.
    """

    days: int = Field(ge=1, le=366)
    history: int = Field(ge=2)
    newest_days: int = Field(ge=1)


@dataclass(frozen=True)
class Window:
    """Days covered, UTC.

    Attributes:
        start: First day.
        end: Day after the last day.
    """

    start: date
    end: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def each_day(self) -> list[date]:
        """The days in order."""
        return [self.start + timedelta(days=place) for place in range(self.days)]


def complete_windows(as_of: datetime, params: WindowParams) -> list[Window]:
    """The newest windows that had ended by ``as_of`` (UTC), oldest first."""
    passed = (as_of.astimezone(UTC).date() - EPOCH).days // params.days
    starts = [EPOCH + timedelta(days=n * params.days) for n in range(passed - params.history, passed)]
    return [Window(start, start + timedelta(days=params.days)) for start in starts]


def newest_days(as_of: datetime, params: WindowParams) -> list[date]:
    """The days up to and with the one of ``as_of`` (UTC), oldest first; a day that begins then is not among them."""
    last = (as_of.astimezone(UTC) - timedelta(microseconds=1)).date()
    return [last - timedelta(days=back) for back in reversed(range(params.newest_days))]


def window_start(day: Column, days: int) -> Column:
    """First day of the window that a date falls into."""
    past = F.datediff(day, F.lit(EPOCH))
    return F.date_sub(day, F.pmod(past, F.lit(days)))


def midnight(day: date) -> datetime:
    """The first moment of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)

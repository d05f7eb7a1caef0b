"""What a replay asks of its feed: enough history before its first step, and something that arrives in its last one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lakehouse_ml.pipelines.training.params import TrainingParams
from lakehouse_ml.pipelines.training.periods import first_trained_on
from lakehouse_ml.replay.steps import ReplayError


@dataclass(frozen=True)
class Reach:
    """How far a feed goes.

    Attributes:
        first_day: The first one that is asked about, UTC.
        end: Arrival of its last file, UTC.
    """

    first_day: date
    end: datetime


def refuse_beyond(nows: Sequence[datetime], reach: Reach, training: TrainingParams) -> None:
    """Make sure that the first step can train and that the last one has data, before hours are spent on those between.

    Args:
        nows: See :func:`moments`.
        reach: Of the feed.
        training: ``params:training`` of the policies.

    Raises:
        ReplayError: The start is too early, or the last step begins after the end of the feed.
    """
    earliest = first_trained_on(reach.first_day, training)
    if nows[0].date() < earliest:
        raise ReplayError(
            f"--from={nows[0]:%Y-%m-%dT%H:%M} is too early to train: give {earliest} or later, for "
            f"{training.enough.days} days of history since {reach.first_day}, the validation folds and the holdout "
            f"(training.enough.days, validation and holdout_days)"
        )
    if nows[-2] >= reach.end:
        raise ReplayError(
            f"--to={nows[-1]:%Y-%m-%dT%H:%M}: the last step begins at {nows[-2]:%Y-%m-%dT%H:%M}, and nothing arrives "
            f"after {reach.end:%Y-%m-%dT%H:%M}, the end of the feed: choose --to so that the last step begins before it"
        )

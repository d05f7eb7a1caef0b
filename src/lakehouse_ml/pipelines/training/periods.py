"""Which days train, validate and judge."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lakehouse_ml.pipelines.training.params import TrainingParams


@dataclass(frozen=True)
class Periods:
    """The days of one training, UTC by ``predict_date``; every end is exclusive.

    Attributes:
        fold_starts: First day of each validation fold, in order.
        holdout_start: First day of the holdout, end of all training.
        holdout_end: Day after the last day of the holdout.
        label_wait: How long a label may take to become known.
    """

    fold_starts: tuple[date, ...]
    holdout_start: date
    holdout_end: date
    label_wait: timedelta

    @property
    def label_cutoff(self) -> datetime:
        """Labels known by then train, as if the model had been made when the holdout began."""
        return midnight(self.holdout_start)

    @property
    def last_asked_at(self) -> datetime:
        """Newest ``predict_at`` whose label has had its time to become known by the cut-off."""
        return self.label_cutoff - self.label_wait


def periods_of(as_of: datetime, params: TrainingParams) -> Periods:
    """The periods of a training at ``as_of`` (UTC): history | validation folds | holdout."""
    holdout_end = as_of.date()
    holdout_start = holdout_end - timedelta(days=params.holdout_days)
    folds, days = params.validation.folds, params.validation.fold_days
    return Periods(
        fold_starts=tuple(holdout_start - timedelta(days=days * left) for left in range(folds, 0, -1)),
        holdout_start=holdout_start,
        holdout_end=holdout_end,
        label_wait=timedelta(hours=params.label_wait_hours),
    )


def first_trained_on(first_day: date, params: TrainingParams) -> date:
    """The first day on which a training has days of history enough, given the first one with a label, UTC."""
    folds = params.validation.folds * params.validation.fold_days
    return first_day + timedelta(days=params.enough.days + folds + params.holdout_days)


def midnight(day: date) -> datetime:
    """The moment at which the day begins, UTC."""
    return datetime.combine(day, time(), UTC)

"""Quality rules: when a window's metrics say that the champion no longer does its work."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from lakehouse_ml.metrics import is_higher_better
from lakehouse_ml.pipelines.monitoring.params import Params

Metric = Literal[
    "average_precision",
    "roc_auc",
    "brier_loss",
    "calibration_error",
    "cost",
    "ap_over_base_rate",
    "roc_auc_shortfall",
]
# Plain figures of a window, which have no interval.
_RATIOS = ("ap_over_base_rate", "roc_auc_shortfall")


class Interval(NamedTuple):
    """Ends of a 95 % day-block interval."""

    low: float
    high: float


class QualityRule(Params):
    """One limit: exactly one of the last three.

    Attributes:
        name: Names the rule in tables and alerts.
        metric: What is looked at; ``roc_auc_shortfall`` is what the AUC lacks of the one that the scores promise, so
            that a week whose days are hard to tell apart is not held against the model.
        at_least: The window's value must not be below.
        at_most: The window's value must not be above.
        beyond_holdout: The window's interval must not lie wholly on the worse side of the interval that the
            model had on its first holdout.
        windows: The limit holds for the mean of the newest so many complete windows; a model that has fewer is not
            judged by it. One week scatters too widely to tell a loss from luck.
    """

    name: str
    metric: Metric
    at_least: float | None = None
    at_most: float | None = None
    beyond_holdout: bool = False
    windows: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if sum((self.at_least is not None, self.at_most is not None, self.beyond_holdout)) != 1:
            raise ValueError(f"{self.name}: give exactly one of at_least, at_most and beyond_holdout")
        if self.beyond_holdout and self.metric in _RATIOS:
            raise ValueError(f"{self.name}: beyond_holdout needs a metric with an interval, is {self.metric}")
        if self.windows > 1 and self.metric != "roc_auc_shortfall":
            raise ValueError(f"{self.name}: windows goes with roc_auc_shortfall, is {self.metric}")
        return self

    def is_broken(
        self,
        values: Mapping[str, float | None],
        holdout: Mapping[str, Interval],
        earlier: Sequence[float] = (),
    ) -> bool:
        """Whether a window breaks the rule; a value or a holdout that is not there breaks it too.

        Args:
            values: Metrics of the window, with ``_low`` and ``_high`` ends.
            holdout: Interval on the holdout by metric.
            earlier: Shortfall of the model's earlier complete windows, oldest first.
        """
        value = values[self.metric]
        if self.windows > 1 and value is not None:
            if len(earlier) < self.windows - 1:
                return False
            value = fmean([*earlier[1 - self.windows :], value])
        if value is None:
            return True
        if self.beyond_holdout:
            return self._is_beyond(values, holdout.get(self.metric))
        too_low = self.at_least is not None and value < self.at_least
        return too_low or (self.at_most is not None and value > self.at_most)

    def _is_beyond(self, values: Mapping[str, float | None], holdout: Interval | None) -> bool:
        low, high = values[f"{self.metric}_low"], values[f"{self.metric}_high"]
        if low is None or high is None or holdout is None:
            return True
        return high < holdout.low if is_higher_better(self.metric) else low > holdout.high


class QualityParams(Params):
    """Which windows count, how they are measured, and the rules. A model's window needs predictions on all its days.

    Attributes:
        min_resolved_share: Share of a window's predictions whose outcome must be known.
        min_positives: Positive labels a window needs.
        draws: Bootstrap draws of whole days.
        rules: At least one.
    """

    min_resolved_share: float = Field(gt=0, le=1)
    min_positives: int = Field(ge=1)
    draws: int = Field(ge=100)
    rules: tuple[QualityRule, ...] = Field(min_length=1)

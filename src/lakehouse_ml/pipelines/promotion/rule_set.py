"""The promotion rules as typed parameters: complete, or refused before anything runs."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REQUIRED_FLOORS = frozenset({"roc_auc", "brier_skill", "ap_over_base_rate"})


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limit(_Rules):
    """A lower bound: exactly one of the two.

    Attributes:
        above: The value must be greater.
        at_least: The value must be greater or equal.
    """

    above: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.above is None) == (self.at_least is None):
            raise ValueError("a limit needs either above or at_least")
        return self

    def allows(self, value: float) -> bool:
        """Whether the value keeps the limit; NaN never does."""
        if self.above is not None:
            return value > self.above
        return self.at_least is not None and value >= self.at_least

    def __str__(self) -> str:
        return f"> {self.above:g}" if self.above is not None else f">= {self.at_least:g}"


class EvidenceRules(_Rules):
    """How much must be known before a model may be judged.

    Attributes:
        rows_min: Labelled holdout rows.
        positives_min: Positive holdout rows.
        days_min: Holdout days with labelled rows.
        new_days_min: Holdout days after the last day that promoted a model before.
        max_age_days: Days between the evaluation's now and the decision's.
    """

    rows_min: int = Field(gt=0)
    positives_min: int = Field(gt=0)
    days_min: int = Field(gt=0)
    new_days_min: int = Field(gt=0)
    max_age_days: float = Field(gt=0)


class MarginRules(_Rules):
    """When a model counts as better than another, by the difference of one metric (higher is better).

    Attributes:
        metric: Primary metric.
        above: The difference must be greater.
        low_above: The lower end of its 95 % day-block interval must be greater.
    """

    metric: str = Field(min_length=1)
    above: float = Field(ge=0)
    low_above: float = Field(le=0)


class PromotionRules(_Rules):
    """The whole rule set of an environment; nothing has a default, so a partial set is refused.

    Attributes:
        evidence: How much must be known.
        margin: When a model counts as better, than the baseline and than the champion.
        floors: Lower bound by metric, for the elected model.
    """

    evidence: EvidenceRules
    margin: MarginRules
    floors: dict[str, Limit]

    @model_validator(mode="after")
    def _has_floors(self) -> Self:
        absent = sorted(REQUIRED_FLOORS - set(self.floors))
        if absent:
            raise ValueError(f"floors lack {', '.join(absent)}")
        return self

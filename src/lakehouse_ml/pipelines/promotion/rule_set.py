"""The promotion rules as typed parameters: complete, or refused before anything runs."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_REQUIRED = {
    "floors": frozenset({"roc_auc", "brier_skill", "ap_over_base_rate", "cost_skill"}),
    "ceilings": frozenset({"roc_auc", "calibration_error"}),
    "not_worse": frozenset({"cost"}),
}


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limit(_Rules):
    """A bound: exactly one of the three.

    Attributes:
        above: The value must be greater.
        at_least: The value must be greater or equal.
        at_most: The value must be less or equal.
    """

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(bound is not None for bound in (self.above, self.at_least, self.at_most)) != 1:
            raise ValueError("a limit needs exactly one of above, at_least and at_most")
        return self

    @property
    def is_upper(self) -> bool:
        """Whether it bounds from above."""
        return self.at_most is not None

    def allows(self, value: float) -> bool:
        """Whether the value keeps the limit; NaN never does."""
        if self.above is not None:
            return value > self.above
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def __str__(self) -> str:
        if self.above is not None:
            return f"> {self.above:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


class EvidenceRules(_Rules):
    """How much must be known before a model may be judged.

    Attributes:
        rows_min: Labelled holdout rows.
        positives_min: Positive holdout rows.
        days_min: Holdout days with labelled rows.
        new_days_min: Holdout days with labelled rows after the last day that promoted a model before.
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


class SliceRules(_Rules):
    """When a part of the holdout may veto.

    Attributes:
        metric: What is compared (higher is better).
        rows_min: Smaller slices have no say.
        days_min: Nor has a slice of fewer days: what a few days draw is no interval.
        margin: A slice may fall behind by this much; and by more, as long as that may be luck.
    """

    metric: str = Field(min_length=1)
    rows_min: int = Field(gt=0)
    days_min: int = Field(gt=1)
    margin: float = Field(ge=0)


class DataRules(_Rules):
    """What the landed data must keep.

    Attributes:
        rejected_max: Share of rejected lines.
        max_hours: Age of a source's newest data at the decision; a source that is not named is never late.
        alert_days: A file that is rejected as a whole is an open alert for so long.
        answered_by_training: Rules of the monitor that compare with the champion's own training: what changed for good
            is found until a new model knows it, so their alerts hold none back.
    """

    rejected_max: float = Field(gt=0, lt=1)
    max_hours: dict[str, float] = Field(min_length=1)
    alert_days: int = Field(gt=0)
    answered_by_training: tuple[str, ...]


class ArtefactRules(_Rules):
    """What can be served.

    Attributes:
        size_mb_max: Size of the files.
        memory_mb_max: Memory of a process that serves it.
        request_mb_max: Size of one request with all golden rows.
        latency_ms_max: Time for one row, 95th percentile.
        tolerance: Largest difference between two scores of one row.
    """

    size_mb_max: float = Field(gt=0)
    memory_mb_max: float = Field(gt=0)
    request_mb_max: float = Field(gt=0)
    latency_ms_max: float = Field(gt=0)
    tolerance: float = Field(ge=0)


class ApprovalRules(_Rules):
    """Who has the last word.

    Attributes:
        required: A person must approve of the evidence before the alias moves.
        shadow_rows_min: Labelled rows that the version must have scored beside the champion before it is approved, and
            not surely worse; 0: shadow results are not asked for. The first champion has nobody to stand beside.
    """

    required: bool
    shadow_rows_min: int = Field(ge=0)


class PromotionRules(_Rules):
    """The whole rule set of an environment; nothing has a default, so a partial set is refused.

    Attributes:
        evidence: How much must be known.
        margin: When a model counts as better, than the baseline and than the champion.
        floors: Lower bound by metric, for the elected model.
        ceilings: Upper bound by metric, for the elected model: also against what is too good to be true.
        not_worse: By how much a metric that is to be low may be higher than the champion's.
        slices: When a part of the holdout may veto.
        data: What the landed data must keep.
        artefact: What can be served.
        approval: Who has the last word.
    """

    evidence: EvidenceRules
    margin: MarginRules
    floors: dict[str, Limit]
    ceilings: dict[str, Limit]
    not_worse: dict[str, float]
    slices: SliceRules
    data: DataRules
    artefact: ArtefactRules
    approval: ApprovalRules

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        for name, wanted in _REQUIRED.items():
            absent = sorted(wanted - set(getattr(self, name)))
            if absent:
                raise ValueError(f"{name} lack {', '.join(absent)}")
        return self

    @model_validator(mode="after")
    def _bounds_from_the_right_side(self) -> Self:
        for name, is_upper in (("floors", False), ("ceilings", True)):
            turned = sorted(m for m, limit in getattr(self, name).items() if limit.is_upper != is_upper)
            if turned:
                sides = "at_most" if is_upper else "above or at_least"
                raise ValueError(f"{name} bound by {sides}, but not so {', '.join(turned)}")
        return self

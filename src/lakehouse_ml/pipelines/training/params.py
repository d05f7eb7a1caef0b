"""Parameters of training."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnoughParams(_Group):
    """How much labelled history a training needs.

    Attributes:
        rows: Labelled rows before the holdout.
        days: Days with labelled rows before the first validation fold.
        positives: Positive rows in each part: history and every validation fold.
    """

    rows: int = Field(ge=1)
    days: int = Field(ge=1)
    positives: int = Field(ge=1)


class ValidationParams(_Group):
    """The validation folds, right before the holdout, each validated by what lies before it.

    Attributes:
        folds: Number of folds.
        fold_days: Days of a fold.
    """

    folds: int = Field(ge=1)
    fold_days: int = Field(ge=1)


class TuningParams(_Group):
    """How hyper-parameters are searched.

    Attributes:
        trials: Trials by role, pruned ones included.
        startup_trials: Trials before the sampler and the pruner learn from earlier ones.
        days: Training days of each fit, spread evenly over what lies before the fold.
        max_rounds: Most boosting rounds.
        round_step: Rounds are counted in steps of this many.
    """

    trials: dict[str, PositiveInt]
    startup_trials: int = Field(ge=1)
    days: int = Field(ge=1)
    max_rounds: int = Field(ge=1)
    round_step: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_a_step(self) -> Self:
        if self.round_step > self.max_rounds:
            raise ValueError(f"round_step {self.round_step} is above max_rounds {self.max_rounds}")
        return self


class TrainingParams(_Group):
    """``params:training``.

    Attributes:
        holdout_days: Days before ``as_of`` that training leaves alone.
        label_wait_hours: A row counts when its label has had this long to become known; without it the late ones
            among the newest would be the missing ones.
        enough: How much is needed.
        validation: Validation folds.
        tuning: Search.
    """

    holdout_days: int = Field(ge=1)
    label_wait_hours: float = Field(ge=0)
    enough: EnoughParams
    validation: ValidationParams
    tuning: TuningParams

"""Parameters of evaluation."""

from pydantic import BaseModel, ConfigDict, Field


class MeasureParams(BaseModel):
    """``params:evaluation.measure``.

    Attributes:
        draws: Draws of the day-block bootstrap.
        slice_rows_min: Smaller groups of a slice are not shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    draws: int = Field(ge=100)
    slice_rows_min: int = Field(ge=1)

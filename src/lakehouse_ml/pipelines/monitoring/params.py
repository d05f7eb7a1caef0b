"""What every group of monitoring parameters shares."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Parameters that refuse unknown keys and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

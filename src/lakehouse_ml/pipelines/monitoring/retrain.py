"""Whether a new model is due. Quality and age decide; drift alone never does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import pandas as pd
from pydantic import Field, model_validator

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.params import Params


class RetrainParams(Params):
    """When to retrain.

    Attributes:
        windows: Newest complete windows that are looked at.
        violations: So many of them must break a rule, the newest included.
        max_age_days: A champion promoted longer ago is replaced.
    """

    windows: int = Field(ge=1)
    violations: int = Field(ge=1)
    max_age_days: float = Field(gt=0)

    @model_validator(mode="after")
    def _can_fire(self) -> "RetrainParams":
        if self.violations > self.windows:
            raise ValueError(f"violations: must be at most windows = {self.windows}, is {self.violations}")
        return self


@dataclass(frozen=True)
class Reason:
    """One reason to retrain, met or not.

    Attributes:
        name: Short name, e.g. ``quality``.
        is_met: Whether it asks for a new model.
        text: Values and limits in words.
        evidence: What it rests on; the same evidence is the same finding.
    """

    name: str
    is_met: bool
    text: str
    evidence: str


@dataclass(frozen=True)
class RetrainDecision:
    """Whether to retrain, with every reason for and against.

    Attributes:
        model_version: The champion.
        reasons: In the order in which they were looked at.
    """

    model_version: str
    reasons: tuple[Reason, ...]

    @property
    def is_due(self) -> bool:
        """Whether any reason is met."""
        return any(reason.is_met for reason in self.reasons)


def decide_retrain(
    quality: pd.DataFrame, ledger: pd.DataFrame, champion: Watched, run: Run, params: RetrainParams
) -> RetrainDecision:
    """Retrain when the champion's quality keeps failing, or when it is too old.

    Args:
        quality: ``quality_history``: complete windows; the champion's own count.
        ledger: ``ledger_history``: when it was promoted.
        champion: The model in use.
        run: Its now tells the age.
        params: Limits.
    """
    mine = quality[quality["model_version"] == champion.version].sort_values("window_start")
    newest = mine.tail(params.windows)
    reasons = (_quality(newest, params), _age(promoted_at(ledger, champion.version), champion, run, params))
    return RetrainDecision(champion.version, reasons)


def _quality(newest: pd.DataFrame, params: RetrainParams) -> Reason:
    violations: Sequence[bool] = [bool(is_violation) for is_violation in newest["is_violation"]]
    if not violations:
        return Reason("quality", False, "no complete window yet", "none")
    is_met = violations[-1] and sum(violations) >= params.violations
    text = (
        f"{sum(violations)} of the last {len(violations)} complete windows break quality rules, the newest "
        f"{'does' if violations[-1] else 'does not'} "
        f"(due from {params.violations} of {params.windows} with the newest)"
    )
    broken = [str(start) for start, is_bad in zip(newest["window_start"], violations, strict=True) if is_bad]
    return Reason("quality", is_met, text, f"newest {newest['window_start'].iloc[-1]}, broken {broken}")


def promoted_at(ledger: pd.DataFrame, version: str) -> pd.Timestamp | None:
    """When the champion's alias first named the version (UTC); None: the ledger does not know it."""
    moves = ledger[(ledger["event"] == "moved") & (ledger["champion_after"] == version)]
    return None if moves.empty else moves["as_of"].min()


def _age(since: pd.Timestamp | None, champion: Watched, run: Run, params: RetrainParams) -> Reason:
    if since is None:
        text = f"champion {champion.version} stands in no row of ops.promotion_ledger, so its age is unknown"
        return Reason("age", True, text, "unknown")
    now = pd.Timestamp(run.as_of).tz_convert(UTC).tz_localize(None)
    age = (now - since) / pd.Timedelta(days=1)
    is_met = bool(age > params.max_age_days)
    text = f"champion {champion.version} was promoted {age:.0f} days ago (due after {params.max_age_days:g})"
    return Reason("age", is_met, text, f"{since}, {'too old' if is_met else 'young enough'}")

from datetime import UTC, datetime

import pandas as pd
import pytest
from pydantic import ValidationError

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.retrain import (
    RetrainDecision,
    RetrainParams,
    decide_retrain,
    promoted_at,
)
from monitoring_builders import CHAMPION, RUN, ledger_history, ledger_row, params, quality_history

PARAMS = RetrainParams(**params("retrain"))


def decide(
    *violations: bool, run: Run = RUN, version: str = "3", ledger: pd.DataFrame | None = None
) -> RetrainDecision:
    known = ledger_history() if ledger is None else ledger
    return decide_retrain(quality_history(*violations, version=version), known, CHAMPION, run, PARAMS)


@pytest.mark.parametrize(
    ("violations", "is_due"),
    [
        ((False, False, False, False, False), False),
        ((True, False, False, False, True), True),
        ((True, True, True, True, False), False),
        ((False, False, False, False, True), False),
        ((True, False, False, False, False, True), False),
        ((True, True), True),
        ((True,), False),
        ((), False),
    ],
)
def test_retrains_when_two_of_the_last_five_windows_fail_with_the_newest(
    violations: tuple, is_due: bool
) -> None:
    assert decide(*violations).is_due is is_due


def test_windows_of_former_champions_do_not_count() -> None:
    assert not decide(True, True, True, version="2").is_due


def test_an_old_champion_is_replaced() -> None:
    late = Run("run-9", datetime(2013, 11, 2, tzinfo=UTC), {})
    decision = decide(False, run=late)
    assert decision.is_due
    assert "62 days ago" in decision.reasons[1].text
    assert not decide(False, run=Run("run-9", datetime(2013, 10, 31, tzinfo=UTC), {})).is_due


def test_age_counts_from_the_promotion_and_not_from_a_later_refusal() -> None:
    assert promoted_at(ledger_history(), "3") == pd.Timestamp(2013, 9, 1)


def test_a_champion_that_the_ledger_does_not_know_is_replaced() -> None:
    decision = decide(False, ledger=pd.DataFrame([ledger_row(1, champion_after="2")]))
    assert decision.is_due
    assert "no row of ops.promotion_ledger" in decision.reasons[1].text


def test_every_decision_tells_all_its_reasons() -> None:
    decision = decide(False, True)
    assert [reason.name for reason in decision.reasons] == ["quality", "age"]
    assert "1 of the last 2 complete windows" in decision.reasons[0].text


def test_limits_that_can_never_be_met_are_refused() -> None:
    with pytest.raises(ValidationError, match="violations: must be at most windows = 5, is 6"):
        RetrainParams(windows=5, violations=6, max_age_days=60)
    with pytest.raises(ValidationError, match="max_age_day"):
        RetrainParams(windows=5, violations=2, max_age_days=60, max_age_day=3)  # type: ignore[call-arg]

"""What a policy left on record, up to the moment that it is looked at."""

from datetime import timedelta

import pytest

from lakehouse_ml.replay.story import rule_and_value, trainings_until
from ledger_builders import AS_OF, entry


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        ("FAILED floor_roc_auc: 0.25 [0.21, 0.28] (must be >= 0.65) challenger", "floor_roc_auc: 0.25"),
        ("FAILED enough_new_days: 0 (must be >= 14) holdout days", "enough_new_days: 0"),
        ("FAILED slices_keep_up: raised ValueError('x')", "slices_keep_up: raised ValueError('x')"),
    ],
)
def test_a_reason_is_told_as_the_rule_and_its_value(reason: str, short: str) -> None:
    assert rule_and_value(reason) == short


def test_a_training_after_the_end_is_no_part_of_the_story() -> None:
    week = timedelta(days=7)
    entries = [entry(as_of=AS_OF), entry(event="moved", as_of=AS_OF), entry(as_of=AS_OF + week)]
    assert [training.as_of for training in trainings_until(entries, AS_OF)] == [AS_OF]
    assert len(trainings_until(entries, AS_OF + week)) == 2

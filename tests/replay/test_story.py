import pytest

from lakehouse_ml.replay.story import rule_and_value


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

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lakehouse_ml.lakehouse.column_counts import counts_by_day, day_counts
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.counting import BASELINE, Counted, Span, frozen_edges
from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.invariants import (
    InvariantParams,
    Training,
    feature_breaches,
    invariant_alerts,
    score_breaches,
)
from lakehouse_ml.pipelines.monitoring.profile import span_rows
from lakehouse_ml.pipelines.monitoring.windows import Window, WindowParams
from monitoring_builders import AS_OF, OWNERS, params

LIMITS = InvariantParams(**params("invariants"))
WINDOWS = WindowParams(**params("windows"))
FAMILIES = {"weather": ("key", "pressure", "wind", "visibility"), "route": ("carrier", "destination")}
TODAY = AS_OF.date()
YESTERDAY = TODAY - timedelta(days=1)
RUN = Run("run-1", AS_OF, {})


def day_of(day: date, seed: int = 0, rows: int = 900, **changes: Any) -> pd.DataFrame:
    """A usual day: air pressure moves, visibility is mostly ten miles, carriers and destinations are known."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "predict_date": day,
            "pressure": generator.normal(1015, 7, rows),
            "wind": generator.normal(0, 9, rows),
            "visibility": np.where(generator.random(rows) < 0.7, 10.0, generator.uniform(0, 10, rows)),
            "carrier": generator.choice(["UA", "B6", "DL"], rows),
            "destination": generator.choice(["LAX", "BOS"], rows),
            **changes,
        }
    )


TRAINING = pd.concat([day_of(TODAY - timedelta(days=60 + n), seed=n) for n in range(10)])
EDGES = frozen_edges(TRAINING[["pressure", "wind", "visibility"]], 10)


def counted(*days: pd.DataFrame) -> Counted:
    batch = pa.RecordBatch.from_pandas(pd.concat(days), preserve_index=False)
    parts = day_counts(batch, "predict_date", EDGES, ("carrier", "destination"))
    return Counted((), counts_by_day(parts), EDGES)


def training() -> Training:
    span = Span(BASELINE, Window(TODAY - timedelta(days=60), TODAY - timedelta(days=50)))
    return {row["column_name"]: row for row in span_rows(span, counted(TRAINING), 200)}


def scores(day: date = YESTERDAY, spread: float = 0.1) -> pd.DataFrame:
    score = np.random.default_rng(1).normal(0.25, spread, 900)
    return pd.DataFrame({"predict_date": day, "score": score})


def found(*days: pd.DataFrame, scored: pd.DataFrame | None = None, **changes: Any) -> list[Finding]:
    limits, resolved = LIMITS.model_copy(update=changes), scores() if scored is None else scored
    return alerts(counted(*days), resolved, RUN, limits)


def alerts(seen: Counted, scored: pd.DataFrame, run: Run, limits: InvariantParams) -> list[Finding]:
    features = feature_breaches(seen, training(), run, WINDOWS, limits)
    scores = score_breaches(scored, run, WINDOWS, limits)
    return invariant_alerts(features, scores, limits, families=FAMILIES, owners=OWNERS)


def test_a_usual_day_breaks_nothing() -> None:
    assert not found(day_of(YESTERDAY, seed=99))


def test_a_value_that_is_no_number_is_critical_however_rare() -> None:
    day = day_of(YESTERDAY)
    batch = pa.RecordBatch.from_pandas(day, preserve_index=False)
    pressure = pa.array([float("nan"), *day["pressure"][1:]], pa.float64())
    batch = batch.set_column(batch.schema.get_field_index("pressure"), "pressure", pressure)
    parts = counts_by_day(day_counts(batch, "predict_date", EDGES, ("carrier", "destination")))
    (alert,) = alerts(Counted((), parts, EDGES), scores(), RUN, LIMITS)
    assert (alert.rule, alert.severity, alert.subject) == ("not_a_number", "critical", "weather")


def test_a_carrier_that_training_did_not_have_is_named() -> None:
    day = day_of(YESTERDAY)
    (alert,) = found(day.assign(carrier=day["carrier"].replace("UA", "U2")))
    assert (alert.rule, alert.subject, alert.owner) == ("unseen_category", "route", "data engineering")
    assert alert.about == "data"
    assert "U2" in alert.reason


def test_a_second_carrier_that_nobody_knows_is_an_alert_of_its_own() -> None:
    before, day = (day_of(YESTERDAY - timedelta(days=back), seed=back) for back in (1, 0))
    new = [frame.assign(carrier=["U2"] * 9 + frame["carrier"].tolist()[9:]) for frame in (before, day)]
    renamed = new[1].assign(carrier=new[1]["carrier"].replace("DL", "dl"))
    (first,), (same,), (still, other) = (found(*days) for days in (new[:1], new, [new[0], renamed]))
    assert first.alert_id == same.alert_id == still.alert_id != other.alert_id
    assert (still.evidence, other.evidence) == ("carrier U2", "carrier dl")
    assert "dl" in other.reason


def test_codes_that_change_all_at_once_are_one_alert() -> None:
    day = day_of(YESTERDAY)
    names = [f"new {place % 10}" for place in range(len(day))]
    (alert,) = found(day.assign(carrier=names))
    assert alert.evidence == "the newest days"


def test_unseen_values_that_break_the_limit_together_are_one_alert_whatever_they_are() -> None:
    day = day_of(YESTERDAY)
    names = [f"new {place % 20}" for place in range(100)]
    (alert,) = found(day.assign(destination=names + day["destination"].tolist()[100:]))
    assert alert.evidence == "the newest days"


def test_a_few_new_destinations_are_the_season_but_two_flights_of_a_new_carrier_are_not() -> None:
    day = day_of(YESTERDAY)
    new = day.assign(destination=["ANC"] * 9 + day["destination"].tolist()[9:])
    assert not found(new)
    assert [f.rule for f in found(day.assign(carrier=["U2"] * 2 + day["carrier"].tolist()[2:]))] == [
        "unseen_category"
    ]


def test_a_category_without_a_limit_may_have_no_unseen_value() -> None:
    assert LIMITS.model_copy(update={"max_unseen_share": {"other": 0.5}}).unseen_limit("carrier") == 0


def test_values_too_rare_to_be_known_by_name_are_new_by_that_alone() -> None:
    usual, day = training(), day_of(YESTERDAY)
    most, *rare = usual["carrier"]["frequent_items"]
    known = {**usual, "carrier": {**usual["carrier"], "frequent_items": [most]}}
    limits = LIMITS.model_copy(update={"max_unseen_share": {"*": 0.1}})
    renamed = day.assign(carrier=day["carrier"].replace(most["item"], "U2"))
    assert len(rare) == 2
    for seen, rules in ((day, []), (renamed, ["unseen_category"])):
        found = feature_breaches(counted(seen), known, RUN, WINDOWS, limits)
        assert [breach.rule for breach in found] == rules


def test_a_feature_that_stands_still_is_found_unless_its_value_is_the_usual_one() -> None:
    day = day_of(YESTERDAY)
    (alert,) = found(day.assign(pressure=1015.0, wind=3.0))
    assert (alert.rule, alert.subject) == ("stands_still", "weather")
    assert "every value is 3; 2 features" in alert.reason
    assert not found(day.assign(visibility=10.0))


def test_one_feature_alone_may_stand_still_but_not_the_only_one_of_its_family() -> None:
    day = day_of(YESTERDAY, pressure=1015.0)
    assert not found(day)
    assert found(day, still_features=1)
    alone = {"pressure": ("key", "pressure"), "others": ("wind", "visibility", "carrier", "destination")}
    features = feature_breaches(counted(day), training(), RUN, WINDOWS, LIMITS)
    (alert,) = invariant_alerts(features, [], LIMITS, families=alone, owners=OWNERS)
    assert alert.subject == "pressure"


def test_a_day_that_is_not_over_or_has_few_rows_may_stand_still() -> None:
    early = Run("run-1", AS_OF + timedelta(hours=9), {})
    today = counted(day_of(TODAY, pressure=1015.0, wind=3.0))
    assert not alerts(today, scores(), early, LIMITS)
    assert not found(day_of(YESTERDAY, rows=LIMITS.min_rows - 1, pressure=1015.0, wind=3.0))


def test_a_source_that_is_missing_is_one_finding_for_all_its_features() -> None:
    (alert,) = found(day_of(YESTERDAY, pressure=np.nan, wind=np.nan, visibility=np.nan))
    assert (alert.rule, alert.subject) == ("source_missing", "weather")
    assert "3 features" in alert.reason
    assert "100 % missing, 0 % in training" in alert.reason


def test_scores_that_are_all_alike_are_found() -> None:
    (alert,) = found(day_of(YESTERDAY), scored=scores(spread=0.001))
    assert (alert.rule, alert.owner, alert.about) == ("scores_alike", "data science", "model")
    (same,) = found(day_of(YESTERDAY), scored=scores().assign(score=0.25))
    assert same.rule == "scores_alike"


def test_a_feature_that_the_champion_was_not_trained_with_is_not_judged() -> None:
    day = day_of(YESTERDAY, pressure=1015.0, wind=3.0)
    known = {name: row for name, row in training().items() if name != "wind"}
    found = feature_breaches(counted(day), known, RUN, WINDOWS, LIMITS)
    assert [breach.feature for breach in found] == ["pressure"]


def test_days_before_the_newest_are_not_judged() -> None:
    old = TODAY - timedelta(days=WINDOWS.newest_days + 1)
    assert not found(day_of(old, pressure=1015.0, wind=3.0), scored=scores(old, 0.001))
    assert found(day_of(old + timedelta(days=1), pressure=1015.0, wind=3.0))


def test_what_lasts_is_the_same_finding() -> None:
    monday = date(2013, 9, 23)
    later = Run("run-2", AS_OF - timedelta(days=4), {})
    stuck = [day_of(monday + timedelta(days=n), pressure=1015.0, wind=3.0) for n in range(3)]
    first, longer = (alerts(counted(*days), scores(), later, LIMITS) for days in (stuck[:1], stuck))
    assert first[0].alert_id == longer[0].alert_id


@pytest.mark.parametrize(
    "changes", [{"max_missing_points": 0.0}, {"min_score_spread": 0.0}, {"min_rows": 0}, {"unknown": 1}]
)
def test_limits_that_say_nothing_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        InvariantParams(**{**params("invariants"), **changes})

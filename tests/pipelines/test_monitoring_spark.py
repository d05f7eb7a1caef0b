"""Monitoring's functions on Spark: profiles, labels beside predictions, histories."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse_ml.lakehouse import tables
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import (
    ProfileParams,
    count_days,
    counted_by_day,
    day_window,
    items_of,
    training_edges,
)
from lakehouse_ml.pipelines.monitoring.history import (
    HistoryParams,
    recent_decisions,
    recent_files,
    recent_quality,
    recent_stages,
)
from lakehouse_ml.pipelines.monitoring.profile import profile
from lakehouse_ml.pipelines.monitoring.quality import holdout_intervals, resolve_predictions
from lakehouse_ml.pipelines.monitoring.summary import newest_evaluation
from lakehouse_ml.pipelines.monitoring.windows import WindowParams
from monitoring_builders import quality_window
from monitoring_rows import (
    AS_OF,
    CHAMPION,
    PER_DAY,
    RUN,
    Table,
    evaluation,
    event,
    features_frame,
    features_of,
    labels_of,
    ledger,
    logged,
    moment,
    predictions_of,
    table_maker,
)

WEEKS = WindowParams(days=7, history=3, newest_days=2)
BINS = ProfileParams(bins=4, edge_rows=10_000, frequent_items=2)


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> Table:
    return table_maker(spark)


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    return features_of(spark)


@pytest.fixture(scope="module")
def labels(spark: SparkSession) -> DataFrame:
    return labels_of(spark)


@pytest.fixture(scope="module")
def predictions(table: Table) -> DataFrame:
    frame = features_frame()
    shadow = predictions_of(frame, role="challenger", model_version="4")
    return table(tables.PREDICTIONS, *predictions_of(frame), *shadow)


def profiled(features: DataFrame, champion: Watched, before: DataFrame) -> DataFrame:
    counted = count_days(features, champion, before, RUN, WEEKS, BINS)
    return profile(counted, champion, before, RUN, {"gold.features": 4}, BINS)


@pytest.fixture(scope="module")
def stored_profiles(features: DataFrame, table: Table) -> DataFrame:
    """What the first run leaves: the training window, three weeks and every day of theirs and since."""
    return profiled(features, CHAMPION, table(tables.PROFILE_METRICS))


@pytest.fixture(scope="module")
def first_profiles(stored_profiles: DataFrame) -> pd.DataFrame:
    tables.PROFILE_METRICS.check_columns(dict(stored_profiles.dtypes))
    flat = stored_profiles.selectExpr("*", "window.start AS start").drop("window").toPandas()
    windows = flat[flat["granularity"] != "1 day"]
    return windows.set_index(["log_type", "start", "column_name"]).sort_index()


def of(profiles: pd.DataFrame, log_type: str, start: date, column: str) -> pd.Series:
    return profiles.loc[(log_type, pd.Timestamp(start), column)]


def test_profiles_cover_training_and_every_complete_window(first_profiles: pd.DataFrame) -> None:
    spans = first_profiles.index.droplevel("column_name").unique().tolist()
    starts = [("BASELINE", pd.Timestamp(2013, 1, 7))]
    starts += [
        ("INPUT", pd.Timestamp(day)) for day in (date(2013, 1, 28), date(2013, 2, 4), date(2013, 2, 11))
    ]
    assert spans == starts
    assert set(first_profiles.index.get_level_values("column_name")) == {
        ":table",
        "jumps",
        "gaps",
        "constant",
        "city",
    }
    assert of(first_profiles, "BASELINE", date(2013, 1, 7), ":table")["count"] == 28 * PER_DAY
    assert of(first_profiles, "INPUT", date(2013, 2, 11), ":table")["count"] == 7 * PER_DAY


def test_numbers_are_counted_exactly_on_the_frozen_edges(first_profiles: pd.DataFrame) -> None:
    frame = features_frame()
    week = frame[(frame["predict_date"] >= date(2013, 2, 11)) & (frame["predict_date"] < date(2013, 2, 18))]
    row, baseline = (
        of(first_profiles, log, start, "jumps")
        for log, start in (("INPUT", date(2013, 2, 11)), ("BASELINE", date(2013, 1, 7)))
    )
    edges = list(baseline["edges"])
    assert list(row["edges"]) == edges
    assert len(edges) == 3
    expected = np.bincount(np.searchsorted(edges, week["jumps"], side="left"), minlength=4)
    assert list(row["bin_counts"]) == expected.tolist()
    assert row["avg"] == pytest.approx(week["jumps"].mean())
    assert row["stddev"] == pytest.approx(week["jumps"].std())
    assert (row["min"], row["max"]) == (
        pytest.approx(week["jumps"].min()),
        pytest.approx(week["jumps"].max()),
    )


def test_missing_values_zeros_constants_and_categories_are_counted(first_profiles: pd.DataFrame) -> None:
    gaps, constant, city = (
        of(first_profiles, "BASELINE", date(2013, 1, 7), name) for name in ("gaps", "constant", "city")
    )
    rows = 28 * PER_DAY
    assert (gaps["num_nulls"], gaps["percent_null"]) == (rows // 4, 25)
    assert gaps["num_zeros"] == features_frame()["gaps"][:rows].eq(0).sum()
    assert sum(gaps["bin_counts"]) == rows - rows // 4
    assert (list(constant["edges"]), list(constant["bin_counts"])) == ([], [rows])
    assert items_of(city) == {"a": 2 * rows // 5, "b": rows // 5}
    assert (city["distinct_count"], city["num_nulls"]) == (3, rows // 5)


def test_a_week_is_put_together_from_its_days_on_record_without_reading_a_row(
    stored_profiles: DataFrame, features: DataFrame, first_profiles: pd.DataFrame
) -> None:
    last = "granularity = '1 week' AND window.start = '2013-02-11'"
    found = profiled(features.where("false"), CHAMPION, stored_profiles.where(f"NOT ({last})"))
    again = found.drop("run_id").toPandas().set_index("column_name").drop(columns="window")
    assert set(again["granularity"]) == {"1 week"}
    first = first_profiles.loc[("INPUT", pd.Timestamp(2013, 2, 11))].drop(columns="run_id")
    figures = ("count", "num_nulls", "avg", "stddev", "min", "max", "median", "min_length")
    for name in ("jumps", "gaps", "constant", "city"):
        for column in figures:
            assert again.loc[name, column] == pytest.approx(first.loc[name, column], nan_ok=True), (
                name,
                column,
            )
    assert again.loc["jumps", "distinct_count"] == first.loc["jumps", "distinct_count"]
    # Days keep the most frequent values by name, so a week has those of its days.
    assert items_of(again.loc["city"]) == items_of(first.loc["city"])
    assert list(again.loc["jumps", "bin_counts"]) == list(first.loc["jumps", "bin_counts"])
    assert list(again.loc["jumps", "edges"]) == list(first.loc["jumps", "edges"])


def test_windows_and_days_on_record_are_not_profiled_again_but_for_another_version(
    stored_profiles: DataFrame, features: DataFrame
) -> None:
    assert profiled(features, CHAMPION, stored_profiles).isEmpty()
    newer = Watched("4", "other", CHAMPION.trained_from, CHAMPION.trained_until)
    found = profiled(features, newer, stored_profiles)
    assert found.where("log_type = 'BASELINE'").count() == 5
    assert found.where("granularity = '1 day'").selectExpr("window.start").distinct().count() == 23


def test_profiles_have_the_vendors_figures(first_profiles: pd.DataFrame) -> None:
    frame = features_frame()
    week = frame[(frame["predict_date"] >= date(2013, 2, 11)) & (frame["predict_date"] < date(2013, 2, 18))]
    row, city, whole = (
        of(first_profiles, "INPUT", date(2013, 2, 11), name) for name in ("jumps", "city", ":table")
    )
    assert (row["granularity"], row["logging_table_commit_version"], row["monitor_version"]) == (
        "1 week",
        4,
        1,
    )
    assert (row["quantiles"][0], row["quantiles"][-1]) == (row["min"], row["max"])
    assert row["median"] == row["quantiles"][5] == pytest.approx(week["jumps"].median(), abs=0.4)
    assert (city["min_length"], city["max_length"], city["avg_length"]) == (1, 1, 1)
    assert (row["num_nan"], row["percent_nan"]) == (0, 0)
    assert set(whole["non_null_columns"]) == {"jumps", "gaps", "constant", "city"}
    assert row["slice_key"] is None


def test_the_edges_of_a_long_training_window_come_from_a_sample_that_is_always_the_same(
    features: DataFrame,
) -> None:
    few = BINS.model_copy(update={"edge_rows": 100})
    first, again = (training_edges(features, CHAMPION, few) for _ in range(2))
    assert first == again
    assert first != training_edges(features, CHAMPION, BINS)


def test_the_newest_days_are_there_although_nothing_is_due(
    features: DataFrame, stored_profiles: DataFrame
) -> None:
    counted = count_days(features, CHAMPION, stored_profiles, RUN, WEEKS, BINS)
    assert counted.spans == ()
    assert max(counted.days) == date(2013, 2, 20)
    assert counted.days[date(2013, 2, 20)]["city"].count == PER_DAY


def test_a_training_window_without_rows_is_an_error_with_a_way_out(features: DataFrame, table: Table) -> None:
    lost = Watched("3", "digest", date(2012, 1, 1), date(2012, 2, 1))
    with pytest.raises(
        ValueError, match=r"no rows from 2012-01-01 to 2012-02-01.*kedro refresh --layer gold"
    ):
        profiled(features, lost, table(tables.PROFILE_METRICS))


def test_predictions_stand_beside_the_truth_as_known(
    predictions: DataFrame, labels: DataFrame, table: Table
) -> None:
    found = resolve_predictions(
        predictions, labels, table(tables.QUALITY_WINDOWS), RUN, WEEKS, label="is_late"
    )
    assert set(found["model_version"]) == {"3"}
    assert found["window_start"].unique().tolist() == [
        date(2013, 2, 4),
        date(2013, 2, 11),
        date(2013, 2, 18),
    ]
    assert set(found["window_end"]) == {date(2013, 2, 11), date(2013, 2, 18), date(2013, 2, 25)}
    late = found[found["window_start"] == date(2013, 2, 11)]
    assert late["is_resolved"].mean() == pytest.approx(5 / 7)
    assert late["label"].notna().sum() == 5 * PER_DAY - 1
    assert found[found["window_start"] == date(2013, 2, 4)]["is_resolved"].all()


def test_the_latest_revision_known_at_the_runs_now_counts(
    predictions: DataFrame, labels: DataFrame, table: Table
) -> None:
    key = predictions.where("predict_date = '2013-02-11'").agg({"key": "min"}).collect()[0][0]
    revised = labels.where(f"key = '{key}'").count()
    found = resolve_predictions(
        predictions.where(f"key = '{key}'"),
        labels,
        table(tables.QUALITY_WINDOWS),
        RUN,
        WEEKS,
        label="is_late",
    )
    assert revised == 4
    assert found["label"].tolist() == [False]


def test_windows_on_record_are_not_measured_again(
    predictions: DataFrame, labels: DataFrame, table: Table
) -> None:
    stored = {
        "model_version": "3", "window_start": date(2013, 2, 4), "window_end": date(2013, 2, 11), "rows": 1,
        "labels": 1, "positives": 1, "is_violation": False, "broken_rules": [], "run_id": "run-0",
    }  # fmt: skip
    before = table(tables.QUALITY_WINDOWS, stored)
    found = resolve_predictions(predictions, labels, before, RUN, WEEKS, label="is_late")
    over = found[(found["window_end"] <= AS_OF.date()) & ~found["is_measured"]]
    assert set(over["window_start"]) == {date(2013, 2, 11)}


@pytest.mark.parametrize(
    ("measured", "looked_at"),
    [
        # However long ago the window ended: its outcomes may have come late.
        ([date(2013, 2, 4)], {date(2013, 2, 4): True, date(2013, 2, 11): False, date(2013, 2, 18): False}),
        ([date(2013, 2, 4), date(2013, 2, 11)], {date(2013, 2, 11): True, date(2013, 2, 18): False}),
        # A day of the past is looked at again.
        ([date(2013, 2, 11), date(2013, 3, 4)], {
            date(2013, 2, 4): False, date(2013, 2, 11): True, date(2013, 2, 18): False
        }),
    ],
)  # fmt: skip
def test_the_window_that_was_measured_last_is_looked_at_until_the_next_one_is(
    predictions: DataFrame,
    labels: DataFrame,
    table: Table,
    measured: list[date],
    looked_at: dict[date, bool],
) -> None:
    stored = [
        {
            "model_version": "3", "window_start": start, "window_end": start + timedelta(days=7), "rows": 1,
            "labels": 1, "positives": 1, "is_violation": False, "broken_rules": [], "run_id": "run-0",
        }
        for start in measured
    ]  # fmt: skip
    before = table(tables.QUALITY_WINDOWS, *stored)
    found = resolve_predictions(predictions, labels, before, RUN, WEEKS, label="is_late")
    windows = found.groupby("window_start")["is_measured"]
    assert windows.all().to_dict() == windows.any().to_dict() == looked_at


def test_the_first_holdout_of_a_model_counts(table: Table) -> None:
    rows = (
        evaluation("run-2", AS_OF, role="champion", low=0.0, high=0.9),
        evaluation("run-1", AS_OF - timedelta(days=30)),
        evaluation("run-1", AS_OF - timedelta(days=30), compared_to="baseline", low=-1.0, high=1.0),
        evaluation("run-1", AS_OF - timedelta(days=30), slice="carrier", slice_value="UA", low=0.1),
        evaluation("run-1", AS_OF, metric="roc_auc", low=None),
    )
    assert holdout_intervals(table(tables.EVALUATIONS, *rows)) == {"digest": {"brier_loss": (0.2, 0.4)}}


def test_the_newest_evaluation_is_that_of_the_last_run_at_the_latest_time(table: Table) -> None:
    earlier = AS_OF - timedelta(days=30)
    rows = (
        evaluation("run-1", AS_OF, value=0.1),
        evaluation("run-2", AS_OF, value=0.2),
        evaluation("run-2", AS_OF, role="baseline", metric="roc_auc", value=0.7, low=0.6, high=0.8),
        evaluation("run-2", AS_OF, metric="log_loss"),
        evaluation("run-2", AS_OF, compared_to="baseline"),
        evaluation("run-2", AS_OF, slice="carrier", slice_value="UA"),
        evaluation("run-3", earlier, value=0.3),
    )
    found = newest_evaluation(table(tables.EVALUATIONS, *rows))
    assert found.columns.tolist() == ["role", "metric", "value", "low", "high"]
    assert found.to_numpy().tolist() == [
        ["baseline", "roc_auc", 0.7, 0.6, 0.8],
        ["challenger", "brier_loss", 0.2, 0.2, 0.4],
    ]
    assert newest_evaluation(table(tables.EVALUATIONS)).empty


def test_a_replayed_file_counts_once_and_neither_an_empty_a_later_nor_a_repeated_one_is_news(
    table: Table,
) -> None:
    day = date(2013, 2, 18)
    files = recent_files(
        table(
            tables.INGESTION_LOG,
            logged("weather/a", day, accepted=60, quarantined=40, warnings={"unknown_field:gust": 9}),
            logged(
                "weather/a", day, sequence=2, accepted=100, quarantined=0, warnings={"unknown_field:gust": 2}
            ),
            logged("weather/d", day, lines=0, accepted=0, warnings={"unknown_field:gust": 1, "odd": 4}),
            logged("weather/b", day, lines=1, accepted=0, quarantined=1, status="unreadable"),
            logged("weather/c", day + timedelta(days=1), lines=0, accepted=0, status="empty"),
            logged("weather/notes.txt", day, lines=0, accepted=0, status="misnamed"),
            logged("weather/day=1/", day, lines=0, accepted=0, status="misnamed"),
            logged("weather/d", day + timedelta(days=1), accepted=0, duplicates=100),
            logged("requests/a", date(2026, 3, 1), accepted=10),
        ),
        table(tables.RUNS),
        RUN,
    )
    first, second = files.to_dict("records")
    assert (first["lines"], first["accepted"], first["quarantined"], first["files"], first["unreadable"]) == (
        101, 100, 1, 5, 1,
    )  # fmt: skip
    assert list(first["misnamed"]) == ["weather/day=1/", "weather/notes.txt"]
    assert list(second["misnamed"]) == []
    assert first["warnings"] == {"unknown_field:gust": 3, "odd": 4}
    assert second["warnings"] == {}
    assert first["newest"] == pd.Timestamp(2013, 2, 19)
    assert pd.isna(second["newest"])


def test_a_file_was_taken_by_the_first_run_on_record_after_it_was_logged(table: Table) -> None:
    day, clock = date(2013, 1, 18), datetime(2026, 3, 1, tzinfo=UTC)
    log = [
        logged("weather/a", day, logged_at=clock),
        logged("weather/b", day, logged_at=clock + timedelta(hours=2)),
        logged("planes/a", day, logged_at=clock),
        logged("movements/a", day, logged_at=clock + timedelta(days=9)),
        # Replayed since.
        logged("planes/a", day, sequence=2, logged_at=clock + timedelta(hours=4)),
    ]
    runs = [
        {
            "run_id": f"run-{n}",
            "as_of": moment(day + timedelta(days=n)),
            "opened_at": clock + timedelta(hours=n),
        }
        for n in (1, 3, 5)
    ]
    found = recent_files(table(tables.INGESTION_LOG, *log), table(tables.RUNS, *runs), RUN)
    taken = dict(zip(found["source"], found["taken"], strict=True))
    assert taken["planes"] == pd.Timestamp(2013, 1, 19)
    assert taken["weather"] == pd.Timestamp(2013, 1, 21)
    assert pd.isna(taken["movements"])


def test_all_windows_of_the_champion_are_looked_at_and_those_of_others_that_are_recent(table: Table) -> None:
    """Cut, a champion that fails for long would fail anew every week."""
    starts = [AS_OF.date() - timedelta(days=days) for days in (365, 20)]
    rows = [quality_window(start, model_version=version) for start in starts for version in ("2", "3")]
    stored = table(tables.QUALITY_WINDOWS, *rows)
    found = recent_quality(stored, CHAMPION, RUN, HistoryParams(days=60, decisions=2, runs=10))
    assert list(zip(found["window_start"], found["model_version"], strict=True)) == [
        (starts[0], "3"), (starts[1], "2"), (starts[1], "3"),
    ]  # fmt: skip


def test_the_same_records_in_two_files_are_news_whichever_was_taken_first(table: Table) -> None:
    day, next_day = date(2013, 2, 18), date(2013, 2, 19)
    repeated = {"accepted": 0, "duplicates": 100}
    for first, second in (({}, repeated), (repeated, {})):
        rows = (logged("weather/a", day, **first), logged("weather/b", next_day, **second))
        newest = recent_files(table(tables.INGESTION_LOG, *rows), table(tables.RUNS), RUN)["newest"]
        assert newest.notna().sum() == 1
        assert newest.max() >= pd.Timestamp(next_day)


def test_whole_numbers_and_booleans_are_profiled_as_numbers(spark: SparkSession) -> None:
    day = date(2013, 2, 18)
    rows = [("a", day, 1, 2**60 + 1, True), ("b", day, 2, 0, False), ("c", day, None, None, None)]
    frame = spark.createDataFrame(
        rows, "key string, predict_date date, gates int, seats bigint, is_wet boolean"
    )
    champion = Watched("3", "digest", day, day + timedelta(days=1))
    edges = training_edges(frame, champion, BINS)
    assert set(edges) == {"gates", "seats", "is_wet"}
    counts = counted_by_day(frame, [day_window(day)], edges)[day]
    assert {name: (of.nulls, of.bins) for name, of in counts.items()} == dict.fromkeys(edges, (1, (1, 1)))
    assert counts["seats"].largest == 2.0**60


def test_a_move_of_the_alias_is_kept_however_long_ago(table: Table) -> None:
    refused = {"event": "decided", "champion_before": "3", "decision": "refused", "elected": None}
    judged = '{"evidence": {"trained": {"models": {"baseline": {"warnings": ["C on its bound 1"]}}}}}'
    rows = [ledger(1), ledger(2, **refused), ledger(3, **refused), ledger(4, **refused, evidence=judged)]
    found = recent_decisions(
        table(tables.PROMOTION_LEDGER, *rows), CHAMPION, HistoryParams(days=60, decisions=2, runs=10)
    )
    assert found["sequence"].tolist() == [4, 3, 1]
    assert found["models"].tolist() == ['{"baseline":{"warnings":["C on its bound 1"]}}', None, None]


def test_the_newest_runs_stages_come_in_the_order_in_which_they_ran(table: Table) -> None:
    rows = [
        event("old", 1, "ingestion", 1), event("mid", 1, "ingestion", 2), event("new", 2, "monitoring", 4),
        event("new", 1, "inference", 3), event("new", 0, "monitoring", 5),
        event("new", 4, "monitoring", 6, event_type="run_progress"),
    ]  # fmt: skip
    found = recent_stages(table(tables.EVENT_LOG, *rows), HistoryParams(days=60, decisions=2, runs=2))
    assert found["stage"].tolist() == ["ingestion", "inference", "monitoring"]
    assert found["duration_s"].tolist() == [2.0, 2.0, 4.0]

"""What every family must keep: grain, types, nothing known early, and incremental equal to full, on real flights."""

from datetime import timedelta

import pandas as pd
import pytest
from pyspark.sql import functions as F

from audit import cut_off, differing, leaks, scrambled
from gold_builders import CONTRACTS, affected, build_gold, run_at, slice_of
from lakehouse_ml.flights import FEATURES, USE_CASE
from lakehouse_ml.flights.features.families import family_contract, feature
from lakehouse_ml.flights.spine import flight_key
from lakehouse_ml.use_case import Family

# Daylight saving begins on March 10, and a storm cancels flights on March 6 to 8.
FIRST, END = "2013-03-03", "2013-03-12"
RUN = run_at(END)
KEYS = {name: list(contract.key) for name, contract in CONTRACTS.items()}
# Around a storm, at night, and in the hour that daylight saving skips.
INSTANTS = ["2013-03-08 15:30", "2013-03-10 07:00"]


@pytest.fixture(scope="module")
def records(year):
    """Nine days of the two carriers with the most flights between them."""
    span = slice_of(year, FIRST, END)
    few = {s: span[s][span[s]["carrier"].isin(["UA", "B6"])] for s in ("timetable", "movements")}
    return span | few


@pytest.fixture(scope="module")
def days(spark, records):
    return affected(spark, records, RUN)


@pytest.fixture(scope="module")
def full(spark, records, days):
    return build_gold(spark, records, RUN, days)


@pytest.mark.parametrize("family", USE_CASE.families, ids=lambda family: family.name)
def test_declares_numbers_and_categories_and_at_most_90_days(family):
    assert {column.type for column in family.contract.columns[1:]} <= {"double", "string"}
    assert family.contract.names[0] == "key"
    assert not any(column.required for column in family.contract.columns[1:])
    assert all(column.description for column in family.contract.columns)
    assert timedelta() <= family.lookback <= timedelta(days=90)
    assert "tail_number" not in family.contract.names


def test_keeps_the_contract_with_one_row_per_flight(full):
    assert full["key"].is_unique
    assert full[["key", "predict_at", "predict_date"]].notna().all(axis=None)
    assert set(FEATURES.names) <= set(full.columns)
    assert len(full) > 2000


def test_knows_most_values_once_the_history_is_a_few_days_long(full):
    later = full[full["predict_at"] >= "2013-03-08"]
    missing = later[list(USE_CASE.feature_names)].isna().mean()
    assert missing.max() < 0.7, missing.sort_values().tail()


def test_knows_nothing_early(spark, records, days, full):
    assert leaks(lambda given: build_gold(spark, given, RUN, days), full, records, INSTANTS, KEYS) == []


def test_knows_no_less_when_the_future_is_cut_off(spark, records, days, full):
    def build(given):
        return build_gold(spark, given, RUN, days)

    assert leaks(build, full, records, INSTANTS[:1], KEYS, cut_off) == []


def departure_delay(flights, timetable, movements):
    left = movements.where("event = 'departure'").groupBy(flight_key().alias("key"))
    return flights.select("key").join(
        left.agg(F.max("delay_minutes").cast("double").alias("leak")), "key", "left"
    )


def weather_of_departure(flights, timetable, weather):
    hour = F.date_trunc("hour", "scheduled_departure_at").alias("observed_at")
    observed = weather.groupBy("origin", "observed_at").agg(F.max("pressure_mb").alias("leak"))
    return (
        flights.select("key", "origin", hour)
        .join(observed, ["origin", "observed_at"], "left")
        .select("key", "leak")
    )


@pytest.mark.parametrize(
    ("build", "source", "change"),
    [
        (departure_delay, "movements", scrambled),
        (departure_delay, "movements", cut_off),
        (weather_of_departure, "weather", scrambled),
    ],
)
def test_finds_what_is_known_early(spark, records, days, build, source, change):
    planted = Family(
        family_contract("planted", feature("leak", "Not known yet")),
        ("timetable", source),
        timedelta(days=5),
        build,
    )

    def build_planted(given):
        return build_gold(spark, given, RUN, days, [planted])

    found = leaks(build_planted, build_planted(records), records, INSTANTS[:1], KEYS, change)
    assert found == ["leak"]


def test_builds_the_same_bits_step_by_step_in_any_order_of_arrival(spark, records, days, full):
    random_order = {source: frame.sample(frac=1, random_state=1) for source, frame in records.items()}
    late = ("2013-03-06", "2013-03-07")
    steps = [
        ("2013-03-09", lambda at: (at < "2013-03-09") & ~at.between(*late)),
        ("2013-03-11 06:30", lambda at: (at >= "2013-03-09") & (at < "2013-03-11 06:30")),
        (END, lambda at: (at >= "2013-03-11 06:30") | at.between(*late)),
    ]
    landed, gold = {source: frame[:0] for source, frame in random_order.items()}, pd.DataFrame()
    for as_of, is_new in steps:
        new = {source: _where(frame, is_new, as_of == "2013-03-09") for source, frame in random_order.items()}
        landed = {source: pd.concat([new[source], landed[source]]) for source in landed}
        built_days = affected(spark, new, run_at(as_of))
        built = build_gold(spark, landed, run_at(as_of), built_days)
        kept = gold[~gold["predict_date"].isin(built_days)] if len(gold) else gold
        gold = pd.concat([kept, built], ignore_index=True)
    gold = gold.sort_values("key", ignore_index=True)
    assert gold["key"].tolist() == full["key"].tolist()
    assert differing(gold, full) == set()


def _where(frame, is_new, is_first):
    at = frame["published_at"].dt.tz_localize(None)
    snapshot = at < "2013-01-01"
    return frame[(is_new(at) & ~snapshot) | (snapshot & is_first)]

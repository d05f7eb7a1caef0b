"""The study of the alarms at a small size: made-up days of one model, the monitor's own functions and limits."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import yaml

from lakehouse_ml.flights import USE_CASE
from lakehouse_ml.flights.features import weather
from lakehouse_ml.flights.model import logistic
from lakehouse_ml.pipelines.monitoring.counting import ProfileParams
from lakehouse_ml.pipelines.monitoring.rules import QualityRule
from lakehouse_ml.probability_model import ProbabilityModel
from monitoring_builders import file_row
from power import Size, draws_of, monitor_of, see
from power_damage import DAMAGES, share_to_lose
from power_lives import FIRST_DAYS, HOLDOUT_DAYS, WATCHED_DAYS, Kind, lives
from power_rates import Draws, Study, WatchedWeek, false_alarm_rate, power_of, study
from power_report import as_table, told, write_page
from power_watch import Feed, Monitor, damaged, data_findings, drawn_week, watch

MONDAY = date(2013, 1, 7)
DAYS = FIRST_DAYS + HOLDOUT_DAYS + WATCHED_DAYS + 7
PER_DAY = 300
SIZE = Size(weeks=6, damaged=3, draws=200)

pytestmark = pytest.mark.slow


def parameters() -> dict:
    with open("conf/base/parameters_monitoring.yml") as file:
        return dict(yaml.safe_load(file)["monitoring"])


def made_up(seed: int = 0) -> pd.DataFrame:
    """Flights whose lateness hangs on the day, the carrier and what is known of the weather."""
    generator = np.random.default_rng(seed)
    place = np.repeat(np.arange(DAYS), PER_DAY)
    day = np.array([MONDAY + timedelta(days=int(n)) for n in range(DAYS)], dtype=object)[place]
    columns = [*weather.OF_ORIGIN, *weather.OF_CITY]
    of_day = generator.normal(size=(DAYS, len(columns)))[place]
    values = of_day + generator.normal(size=(len(place), len(columns)))
    carrier = generator.choice(["UA", "B6", "DL", "FL"], len(place), p=[0.4, 0.3, 0.28, 0.02])
    logit = -1.5 + 0.5 * of_day[:, 0] + 0.9 * values[:, 1] + 0.6 * (carrier == "B6")
    return pd.DataFrame(
        {
            "key": [f"k{n}" for n in range(len(place))],
            "predict_at": pd.to_datetime(day) + pd.to_timedelta(np.arange(len(place)) % PER_DAY, unit="min"),
            "predict_date": day,
            "carrier": carrier,
            "origin": generator.choice(["EWR", "JFK", "LGA"], len(place)),
            **{column.name: values[:, n] for n, column in enumerate(columns)},
            "label": pd.Series(generator.random(len(place)) < 1 / (1 + np.exp(-logit)), dtype=object),
            "label_known_at": pd.to_datetime(day) + pd.Timedelta(hours=20),
            "is_resolved": True,
        }
    )


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return made_up()


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    params = parameters()
    model = ProbabilityModel(logistic({"C": 0.01}, 1))
    return monitor_of(params, Kind(model, 0.25, USE_CASE.costs, ProfileParams(**params["profile"])))


@pytest.fixture(scope="module")
def found(rows: pd.DataFrame, monitor: Monitor) -> list:
    return list(lives(rows, monitor.kind))


@pytest.fixture(scope="module")
def feed(rows: pd.DataFrame) -> Feed:
    """Delays in hours are never more than 15; delays in seconds are mostly out of bounds."""
    days = sorted(rows["predict_date"].unique())
    files = pd.DataFrame(
        [file_row(contract.name, day, 600, 0) for contract in USE_CASE.sources for day in days]
    )
    truth = rows.set_index("key")[["is_resolved"]].assign(label=False)
    return Feed(
        files=files,
        rebuilt={"delays in hours": truth, "delays in seconds": truth},
        rejected={"delays in seconds": dict.fromkeys(days, 400)},
    )


@pytest.fixture(scope="module")
def result(found: list, feed: Feed, monitor: Monitor) -> Study:
    return study(see(found, feed, monitor, SIZE), draws_of(monitor, SIZE))


def test_a_model_is_watched_on_the_four_weeks_after_its_holdout(rows: pd.DataFrame, found: list) -> None:
    (life,) = found
    assert life.watched.trained_until.weekday() == 0
    start = life.watched.trained_until + timedelta(days=HOLDOUT_DAYS)
    days = sorted(life.rows["predict_date"].unique())
    assert (days[0], len(days)) == (start, WATCHED_DAYS)
    again = life.score(rows[rows["predict_date"].isin(days)])
    np.testing.assert_array_equal(again["score"], life.rows["score"])


def test_sound_weeks_raise_nothing_and_every_damage_is_noticed_by_its_own_rule(result: Study) -> None:
    assert result.false_alarms.value == 0
    assert result.holds
    rules = {name: {rule for rule, _ in power.rules} for name, power in result.powers.items()}
    assert "quality" in rules["AUC -0.10"]
    assert "unseen_category" in rules["carrier renamed, large"] & rules["carrier renamed, small"]
    assert "stands_still" in rules["weather stuck"]
    assert "outcomes_unlike_scores" in rules["delays in hours"]
    assert "rejected_lines" in rules["delays in seconds"]
    assert rules["labels late"] == {"labels_late"}


def test_the_alarms_bite_only_through_the_shipped_limits(found: list, feed: Feed, monitor: Monitor) -> None:
    blind = monitor.invariants.model_copy(update={"max_unseen_share": {"*": 0.99}})
    week = drawn_week(found[0], np.random.default_rng(1))
    renamed = damaged(week, DAMAGES[2], feed, monitor)
    assert "unseen_category" in watch(renamed, monitor).found
    assert "unseen_category" not in watch(renamed, replace(monitor, invariants=blind)).found


def test_a_drawn_week_keeps_the_weekdays_and_the_rows_of_its_days(found: list) -> None:
    life = found[0]
    generator = np.random.default_rng(2)
    for _ in range(5):
        week = drawn_week(life, generator)
        assert [day.weekday() for day in week.days] == list(range(7))
        assert len(week.rows) == 7 * PER_DAY
        assert week.rows["predict_date"].tolist() == sorted(week.rows["predict_date"])
        waits = week.rows["label_known_at"] - pd.to_datetime(week.rows["predict_date"])
        assert set(waits) == {pd.Timedelta(hours=20)}


def test_a_damaged_feed_is_found_on_its_day_and_a_sound_one_on_none(feed: Feed, monitor: Monitor) -> None:
    days = sorted(feed.files["day"].unique())[-3:]
    seconds = next(damage for damage in DAMAGES if damage.name == "delays in seconds")
    assert set(map(frozenset, data_findings(feed, None, days, monitor).values())) == {frozenset()}
    assert set(map(frozenset, data_findings(feed, seconds, days, monitor).values())) == {
        frozenset({"rejected_lines"})
    }


SHORT = QualityRule(name="short", metric="roc_auc_shortfall", at_most=0.07, windows=3)


def weeks(*found: dict[str, int], shortfall: float | None = None) -> list[WatchedWeek]:
    return [WatchedWeek(place // 2, rules, shortfall) for place, rules in enumerate(found)]


def test_a_quarter_is_false_as_soon_as_one_of_its_weeks_is() -> None:
    assert false_alarm_rate(weeks({}, {}, {}, {}), Draws(500, 1)) == (0, 0, 0)
    some = false_alarm_rate(weeks({}, {}, {"quality": 7}, {}), Draws(4000, 1))
    # Three and a quarter blocks, half of them of the model whose weeks are half false.
    assert some.value == pytest.approx(1 - (0.5 + 0.5**5) ** 3 * 0.75, abs=0.03)
    assert some.low < some.value < some.high


def test_rules_about_several_weeks_judge_the_weeks_as_they_are_drawn() -> None:
    quiet, short = weeks({}, {}, {}, {}, shortfall=0.0), weeks({}, {}, {}, {}, shortfall=0.08)
    draws = Draws(50, 1, (SHORT,))
    assert false_alarm_rate(quiet, draws).value == 0
    assert false_alarm_rate(short, draws).value == 1
    assert false_alarm_rate(short, draws, only="other").value == 0
    worse = weeks({}, {}, {}, {}, shortfall=0.11)
    found = power_of(worse, quiet, draws)
    # Two weeks of 0.11 after one of 0.00 are a mean of 0.073.
    assert (found.power.value, found.days, found.rules) == (1, 14, (("quality", 1.0),))


def test_power_counts_the_first_new_alarm_within_four_weeks() -> None:
    sound = weeks({}, {"quality": 3}, {}, {})
    always = power_of(weeks({"a": 2}, {"a": 2}, {"a": 2}, {"a": 2}), sound, Draws(500, 1))
    assert (always.power, always.days, always.rules) == ((1, 1, 1), 2, (("a", 1.0),))
    known = power_of(weeks({"quality": 3}, {"quality": 3}, {}, {}), sound, Draws(4000, 1))
    # The model of the first two weeks, in one of whose weeks the alarm is new, four times.
    assert known.power.value == pytest.approx(0.5 * (1 - 0.5**4), abs=0.03)
    never = power_of(sound, sound, Draws(500, 1))
    assert never.power.value == 0
    assert np.isnan(never.days)


def test_the_share_to_shuffle_loses_what_is_asked() -> None:
    assert share_to_lose(0.1, lambda share: 0.75 - 0.25 * share) == pytest.approx(0.4, abs=1e-4)


def test_the_page_tells_every_damage_with_its_numbers(result: Study, tmp_path) -> None:
    (tmp_path / "pictures").mkdir()
    write_page(result, "baseline", "`c0ffee`", tmp_path)
    page = (tmp_path / "power.md").read_text()
    assert (
        f"{told(result)}. Each model is of the kind that the champion is, baseline. Measured by commit `c0ffee`."
        in page
    )
    for damage in DAMAGES:
        assert f"| {damage.name} | 100.0% [100.0%, 100.0%] |" in page
    assert (tmp_path / "pictures" / "power.png").stat().st_size > 10_000
    assert as_table(result).row_count == len(DAMAGES) + 1

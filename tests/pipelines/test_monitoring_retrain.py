"""The retrain controller: laws over many weeks, then one reason after the other."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pyspark.sql import SparkSession

from lakehouse_ml.lakehouse import tables
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.findings import Finding
from lakehouse_ml.pipelines.monitoring.lifecycle import open_before
from lakehouse_ml.pipelines.monitoring.retrain import (
    RetrainDecision,
    RetrainParams,
    codes,
    decide_retrain,
    open_request,
)
from lakehouse_ml.pipelines.monitoring.retrain_record import new_row, record_retrain, request_training
from lakehouse_ml.pipelines.monitoring.situation import (
    DataAlert,
    Decided,
    Past,
    QualityWindow,
    Training,
    promoted_at,
    read_decisions,
    read_past,
    take_situation,
)
from monitoring_builders import AS_OF as NOW
from monitoring_builders import (
    CHAMPION,
    RUN,
    ledger_history,
    ledger_row,
    params,
    quality_history,
    situation,
)
from monitoring_rows import ledger, moment, table_maker
from promotion_builders import RULES

PARAMS = RetrainParams(**params("retrain"))
DAY = timedelta(days=1)
LATE = DataAlert("freshness", "weather", NOW - 100 * DAY)


def decide(*violations: bool, **changes: Any) -> RetrainDecision:
    return decide_retrain(situation(*violations, **changes), PARAMS)


def recorded(decision: RetrainDecision, *former: Decided, at: datetime = NOW) -> tuple[Decided, ...]:
    """The table after the decision."""
    row = new_row(decision, former, Run("run-1", at, {}))
    if row is None:
        return former
    return (*former, Decided(**{name: value for name, value in row.items() if name != "run_id"}))


class Day(NamedTuple):
    """What one day brings; without a window that became complete, ``is_broken`` is None."""

    is_broken: bool | None
    has_data_alert: bool
    is_answered: bool
    new_labels: int
    is_promoted: bool


class Year(NamedTuple):
    """What became of many days."""

    decided: list[tuple[datetime, Day, RetrainDecision]]
    trained: list[tuple[datetime, str]]
    decisions: tuple[Decided, ...]


# Every kind of day, in the order of its fields, the usual ones more than once: a day is one draw then, not five.
ANY_DAY = [
    Day(*kind)
    for kind in itertools.product(
        [None, None, True, True, False],
        [False, False, False, True],
        [False, True],
        [9_000, 9_000, 400],
        [False, True],
    )
]
DAYS = st.lists(st.sampled_from(ANY_DAY), min_size=10, max_size=60)
LIMITS = st.builds(
    RetrainParams,
    windows=st.integers(2, 4),
    violations=st.integers(1, 2),
    max_age_days=st.integers(5, 40),
    schedule_days=st.none() | st.integers(1, 30),
    cooldown_days=st.integers(1, 20),
    max_per_week=st.integers(1, 3),
    min_new_labels=st.sampled_from([0, 500]),
    answered_by_training=st.just(("unseen_category",)),
    mended_within_days=st.integers(0, 20),
)


def live(days: list[Day], limits: RetrainParams) -> Year:
    """Days in a row: a decision each, and a training wherever an open request is answered."""
    state = situation(as_of=NOW, promoted_at=NOW, trainings=(Training(1, NOW),))
    decided, trained = [], []
    for number, day in enumerate(days, start=1):
        now = NOW + number * DAY
        complete = () if day.is_broken is None else (QualityWindow(now.date(), day.is_broken),)
        windows = (*state.windows, *complete)
        alerts = (LATE,) if day.has_data_alert else ()
        state = replace(state, as_of=now, windows=windows, data_alerts=alerts, new_labels=day.new_labels)
        decision = decide_retrain(state, limits)
        decided.append((now, day, decision))
        state = replace(state, decisions=recorded(decision, *state.decisions, at=now))
        request = open_request(state.decisions, state.trainings)
        if request is not None and day.is_answered:
            trained.append((now, str(request.request_key)))
            state = replace(state, trainings=(*state.trainings, Training(number + 1, now)))
            if day.is_promoted:
                state = replace(state, champion=str(number), promoted_at=now, windows=())
    return Year(decided, trained, state.decisions)


def test_what_only_a_training_ends_is_known_to_the_training_that_it_lets_through() -> None:
    periods = yaml.safe_load(Path("conf/base/parameters_training.yml").read_text())["training"]
    # A week of it before the holdout, which no model is trained on.
    assert PARAMS.mended_within_days >= periods["holdout_days"] + params("windows")["days"]


@settings(max_examples=100)
@given(DAYS, LIMITS)
def test_bad_data_always_holds_back(days: list[Day], limits: RetrainParams) -> None:
    for _, day, decision in live(days, limits).decided:
        assert not (day.has_data_alert and decision.outcome == "requested")
        assert not day.has_data_alert or "data_alert" in codes(decision.holds)


@settings(max_examples=100)
@given(DAYS, LIMITS)
def test_a_key_starts_one_training_and_trainings_keep_their_distance(
    days: list[Day], limits: RetrainParams
) -> None:
    trained = live(days, limits).trained
    assert len({key for _, key in trained}) == len(trained)
    moments = [NOW, *(at for at, _ in trained)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(gap >= limits.cooldown_days * DAY for gap in gaps)


@settings(max_examples=100)
@given(DAYS, LIMITS)
def test_no_seven_days_have_more_requests_than_the_cap(days: list[Day], limits: RetrainParams) -> None:
    first: dict[str, datetime] = {}
    for decided in live(days, limits).decisions:
        if decided.outcome == "requested":
            first.setdefault(str(decided.request_key), decided.as_of)
    for at in first.values():
        assert sum(at - 7 * DAY < other <= at for other in first.values()) <= limits.max_per_week


@settings(max_examples=100)
@given(DAYS, LIMITS)
def test_too_few_new_labels_never_begin_a_request(days: list[Day], limits: RetrainParams) -> None:
    year = live(days, limits)
    labels = {at: day.new_labels for at, day, _ in year.decided}
    known: set[str | None] = set()
    for decided in year.decisions:
        if decided.outcome == "requested" and decided.request_key not in known:
            assert labels[decided.as_of] >= limits.min_new_labels
            known.add(decided.request_key)


@settings(max_examples=100)
@given(DAYS, LIMITS)
def test_the_same_again_decides_the_same_and_adds_no_row(days: list[Day], limits: RetrainParams) -> None:
    former: tuple[Decided, ...] = ()
    for number, day in enumerate(days):
        known = situation(
            *[day.is_broken is True] * 2,
            as_of=NOW + number * DAY,
            new_labels=day.new_labels,
            decisions=former,
        )
        decision = decide_retrain(known, limits)
        former = recorded(decision, *former, at=known.as_of)
        again = decide_retrain(replace(known, decisions=former), limits)
        assert (again.outcome, again.request_key) == (decision.outcome, decision.request_key)
        assert recorded(again, *former, at=known.as_of) == former
    assert [row.sequence for row in former] == list(range(1, len(former) + 1))


EVIDENCE = st.tuples(
    st.sampled_from(["2", "3"]),
    st.lists(st.booleans(), min_size=2, max_size=6),
    st.integers(1, 200),
    st.integers(1, 9),
)


@given(EVIDENCE, EVIDENCE)
@example(("2", [True, True], 9, 1), ("3", [True, True], 9, 1))
@example(("2", [False, False], 90, 1), ("2", [False, False], 90, 2))
def test_keys_are_equal_for_equal_evidence_only(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    def asked(version: str, violations: list[bool], age: int, row: int) -> RetrainDecision:
        trained = (Training(row, NOW - 20 * DAY),)
        since = NOW - age * DAY
        return decide(*violations, champion=version, promoted_at=since, trainings=trained)

    def evidence(version: str, violations: list[bool], age: int, row: int) -> Any:
        broken = tuple(situation(*violations).windows[-5:])
        bad = {window.start for window in broken if window.is_violation}
        is_failing, is_old = violations[-1] and len(bad) >= 2, age > 60
        if not is_failing and not is_old:
            return None
        return version, is_failing and sorted(bad), is_old and (age, row)

    first, second = asked(*one), asked(*other)
    assert (first.request_key == second.request_key) == (evidence(*one) == evidence(*other))
    assert first == asked(*one)


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
    violations: tuple[bool, ...], is_due: bool
) -> None:
    assert decide(*violations).outcome == ("requested" if is_due else "none")


def test_an_old_champion_is_replaced() -> None:
    old = decide(promoted_at=NOW - 62 * DAY)
    assert (old.outcome, codes(old.reasons)) == ("requested", ("age",))
    assert "62 days ago (due after 60)" in old.wanted
    assert decide(promoted_at=NOW - 60 * DAY).outcome == "none"


def test_a_champion_that_the_ledger_does_not_know_is_replaced() -> None:
    unknown = decide(promoted_at=None)
    assert unknown.outcome == "requested"
    assert "no row of ops.promotion_ledger" in unknown.wanted


def test_the_schedule_counts_from_the_last_training_whatever_came_of_it() -> None:
    due = decide(trainings=(Training(4, NOW - 30 * DAY),))
    assert codes(due.reasons) == ("schedule",)
    assert decide(trainings=(Training(4, NOW - 29 * DAY),)).outcome == "none"
    assert decide(trainings=()).outcome == "requested"
    off = PARAMS.model_copy(update={"schedule_days": None})
    assert decide_retrain(situation(trainings=()), off).outcome == "none"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"data_alerts": (LATE,)}, "data_alert"),
        ({"trainings": (Training(4, NOW - 13 * DAY),)}, "cooldown"),
        ({"new_labels": 4_999}, "few_labels"),
    ],
)
def test_each_thing_that_speaks_against_it_holds_back_alone(changes: dict[str, Any], code: str) -> None:
    held = decide(True, True, **changes)
    assert (held.outcome, held.held_back_by) == ("held_back", (code,))
    assert held.next_step.startswith("held back: ")
    assert held.request_key == decide(True, True).request_key
    assert decide(False, False, **changes).outcome == "none"
    assert decide(False, False, **changes).held_back_by == ()


@pytest.mark.parametrize(
    ("rule", "days", "outcome"),
    [
        ("unseen_category", 34, "held_back"),
        ("unseen_category", 35, "requested"),
        ("freshness", 400, "held_back"),
    ],
)
def test_what_only_a_training_ends_holds_it_back_no_longer_than_a_mistake_lasts(
    rule: str, days: int, outcome: str
) -> None:
    decision = decide(True, True, data_alerts=(DataAlert(rule, "carrier", NOW - days * DAY),))
    assert decision.outcome == outcome
    assert any(f"{rule} carrier: " in text for text in decision.explanation)


def test_gate_and_controller_agree_on_what_only_a_training_ends() -> None:
    # RULES is what conf holds: test_promotion_conf.py.
    assert PARAMS.answered_by_training == tuple(RULES["data"]["answered_by_training"])


def test_a_second_request_of_the_week_is_held_back_by_the_cap() -> None:
    withdrawn = recorded(decide(False, False), *recorded(decide(True, True)))
    assert [row.outcome for row in withdrawn] == ["requested", "none"]
    later = situation(True, False, True, as_of=NOW + 6 * DAY, decisions=withdrawn)
    assert decide_retrain(later, PARAMS).held_back_by == ("weekly_cap",)
    assert decide_retrain(replace(later, as_of=NOW + 7 * DAY), PARAMS).outcome == "requested"


def test_a_request_stays_open_under_its_key_until_it_is_answered() -> None:
    asked = recorded(decide(True, True))
    request = open_request(asked, situation().trainings)
    assert request == asked[-1]
    # The week's window, few labels: nothing but the data counts while it is open.
    later = decide(True, True, True, decisions=asked, new_labels=0)
    assert (later.outcome, later.request_key) == ("requested", request.request_key)
    assert recorded(later, *asked) == asked
    assert open_request(asked, (*situation().trainings, Training(5, NOW))) is None


def test_a_request_waits_while_the_data_is_bad_and_goes_on_after() -> None:
    asked = recorded(decide(True, True))
    held = recorded(decide(True, True, decisions=asked, data_alerts=(LATE,)), *asked)
    assert held[-1].held_back_by == ("data_alert",)
    assert open_request(held, situation().trainings) is None
    again = recorded(decide(True, True, decisions=held), *held)
    assert (again[-1].outcome, again[-1].request_key) == ("requested", asked[-1].request_key)


def test_evidence_that_was_answered_asks_for_nothing_more() -> None:
    asked = recorded(decide(True, True))
    refused = (Training(4, NOW - 20 * DAY), Training(5, NOW))
    again = situation(True, True, as_of=NOW, decisions=asked, trainings=refused)
    # The windows are those of the request: no new week was complete since.
    stuck = decide_retrain(replace(again, as_of=NOW + 20 * DAY), PARAMS)
    assert stuck.held_back_by == ("answered",)


def test_a_request_for_a_former_champion_is_not_open_for_the_present_one() -> None:
    asked = recorded(decide(True, True))
    other = decide(False, False, champion="2", decisions=asked)
    assert (other.outcome, recorded(other, *asked)[-1].model_version) == ("none", "2")


def test_a_decision_tells_all_its_reasons_those_that_hold_first() -> None:
    told = decide(True, True, new_labels=7).explanation
    assert [text.partition(":")[0] for text in told] == [
        "quality asks for a new model", "few_labels holds back", "age does not ask", "schedule does not ask",
        "data_alert does not hold back", "cooldown does not hold back", "weekly_cap does not hold back",
        "answered does not hold back",
    ]  # fmt: skip


def test_a_decision_that_asks_for_nothing_tells_no_more_than_that() -> None:
    told = decide(False, False, new_labels=7).explanation
    assert [text.partition(" ")[0] for text in told] == ["quality", "age", "schedule"]


def test_limits_that_can_never_be_met_are_refused() -> None:
    limits = params("retrain")
    with pytest.raises(ValidationError, match="violations: must be at most windows = 5, is 6"):
        RetrainParams(**{**limits, "violations": 6})
    with pytest.raises(ValidationError, match="max_age_day"):
        RetrainParams(**limits, max_age_day=3)
    with pytest.raises(ValidationError, match="cooldown_days"):
        RetrainParams(**{**limits, "cooldown_days": 0})


def test_age_counts_from_the_promotion_and_not_from_a_later_refusal() -> None:
    assert promoted_at(ledger_history(), "3") == datetime(2013, 9, 1, tzinfo=UTC)
    assert promoted_at(pd.DataFrame([ledger_row(1, champion_after="2")]), "3") is None


def test_the_situation_holds_the_champions_windows_and_what_is_wrong_with_the_data(
    spark: SparkSession,
) -> None:
    quality = pd.concat([quality_history(False, True), quality_history(True, version="2")])
    late = Finding("freshness", "critical", "weather", "r", "o", "e", "data")
    new = replace(late, subject="planes")
    opened = {
        "alert_id": late.alert_id, "sequence": 1, "event": "opened", "rule": "freshness", "severity": "critical",
        "subject": "weather", "reason": "r", "evidence": "e", "about": "data", "owner": "o",
        "opened_at": moment(NOW.date() - 3 * DAY), "as_of": moment(NOW.date() - 3 * DAY), "runs": 1, "run_id": "run-0",
    }  # fmt: skip
    found = take_situation(
        CHAMPION,
        RUN,
        ledger_history(),
        quality,
        Past(new_labels=7),
        open_before(table_maker(spark)(tables.ALERTS, opened)),
        [Finding("q", "info", "x", "r", "o", "e")],
        [late, new],
    )
    assert [window.is_violation for window in found.windows] == [False, True]
    assert found.new_labels == 7
    assert {alert.subject: alert.since for alert in found.data_alerts} == {
        "weather": NOW - 3 * DAY,
        "planes": NOW,
    }


def test_past_and_rows_are_read_back_as_they_were_written(spark: SparkSession) -> None:
    table = table_maker(spark)
    moves = [
        ledger(1, event="decided", as_of=moment(NOW.date() - 30 * DAY)),
        ledger(2),
        ledger(3, event="decided", decision="refused", as_of=moment(NOW.date() - 2 * DAY, 12)),
        ledger(4, event="decided", decision="rolled_back"),
    ]
    labels = [
        ("old", True, moment(NOW.date() - 3 * DAY)),
        ("new", False, moment(NOW.date() - DAY)),
        ("new", True, moment(NOW.date())),
        ("never", None, moment(NOW.date() - DAY)),
        ("future", True, moment(NOW.date() + DAY)),
    ]
    truth = spark.createDataFrame(labels, "key string, is_late boolean, label_known_at timestamp")
    empty = table(tables.RETRAIN_DECISIONS)
    past = read_past(
        table(tables.PROMOTION_LEDGER, *moves), empty, truth, CHAMPION, Run("r", NOW, {}), label="is_late"
    )
    trainings = (Training(1, NOW - 30 * DAY), Training(3, NOW - 1.5 * DAY))
    assert past == Past(trainings, (), 1)
    decision = decide(True, True)
    rows = record_retrain(decision, past, empty, Run("run-1", NOW, {}))
    tables.RETRAIN_DECISIONS.check_columns(dict(rows.dtypes))
    assert read_decisions(rows) == recorded(decision)
    assert record_retrain(decision, Past(decisions=read_decisions(rows)), empty, RUN).isEmpty()


def test_a_requested_training_is_started_with_the_run_that_asked_for_it() -> None:
    run = Run("550315892394120", NOW, {})
    due = decide(True, True)
    assert due.outcome == "requested"
    asked = request_training(due, None, {}, run)
    assert asked == {due.request_key: {"run_id": "550315892394120", "as_of": NOW.isoformat()}}
    assert len(str(due.request_key)) == 64
    for quiet in (decide(False), decide(True, True, data_alerts=(LATE,))):
        assert quiet.outcome != "requested"
        assert request_training(quiet, None, {}, run) == {}

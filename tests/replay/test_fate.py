"""What became of an incident, read from alerts, ledger and log alone."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from lakehouse_ml.replay.fate import Fate, fate_of, fates_of
from lakehouse_ml.replay.story import Training
from replay_builders import INCIDENTS, NO_ALERTS, NOWS, alert, alerts, ingestion_log, story, training

SILENT, POISONED, RESENT, SCALED = INCIDENTS
LOG = ingestion_log("2013-05-24", "2013-05-25")
FIRST = training("2013-04-01", "1")
NOTICED = alert("freshness", "2013-05-06", "2013-05-13")


def fate(incident: object, rows: pd.DataFrame = NO_ALERTS, *trainings: Training) -> Fate:
    (found,) = fates_of([incident], story("triggered", rows=rows, trainings=(FIRST, *trainings)), LOG, NOWS)
    return found


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_incident_is_noticed_by_its_first_alert_and_healed_when_the_last_is_closed() -> None:
    later = alert("source_missing", "2013-05-13", "2013-05-20")
    found = fate(SILENT, alerts(later, NOTICED))
    assert (found.noticed, found.noticed_by) == (day("2013-05-06"), "freshness, source_missing")
    assert found.healed == day("2013-05-20")


def test_an_incident_is_not_healed_while_an_alert_about_it_is_open() -> None:
    assert fate(SILENT, alerts(NOTICED, alert("source_missing", "2013-05-13"))).healed is None


def test_an_alert_of_another_rule_or_of_another_time_tells_nothing_of_it() -> None:
    others = alerts(
        alert("quality", "2013-05-06"), alert("freshness", "2013-04-29"), alert("freshness", "2013-06-03")
    )
    found = fate(SILENT, others)
    assert (found.noticed, found.contained) == (None, None)
    assert found.healed == day("2013-05-13")


def test_an_alert_that_came_again_later_is_closed_by_its_own_end() -> None:
    again = alert("freshness", "2013-07-01", alert_id="same")
    first = alert("freshness", "2013-05-06", "2013-05-13", alert_id="same")
    assert fate(SILENT, alerts(first, again)).healed == day("2013-05-13")


def test_it_is_contained_when_no_model_learned_from_it() -> None:
    found = fate(SILENT, alerts(NOTICED))
    assert (found.contained, found.contained_by) == (day("2013-05-06"), "no model was trained meanwhile")


def test_it_is_contained_when_the_gate_refused_what_did() -> None:
    found = fate(SILENT, alerts(NOTICED), training("2013-05-06"))
    assert (found.contained, found.contained_by) == (
        day("2013-05-06"),
        "the gate refused what was trained meanwhile",
    )


def test_it_is_not_contained_when_a_model_that_learned_from_it_was_promoted() -> None:
    found = fate(SILENT, alerts(NOTICED), training("2013-05-06", "2"))
    assert (found.contained, found.contained_by) == (None, "version 2 was promoted meanwhile")


def test_a_training_that_waited_for_the_last_alert_to_close_did_not_learn_meanwhile() -> None:
    assert fate(SILENT, alerts(NOTICED), training("2013-05-13", "2")).contained == day("2013-05-06")
    assert (
        fate(SCALED, alerts(), training("2013-06-17", "2")).contained_by == "version 2 was promoted meanwhile"
    )


def test_a_poisoned_model_is_held_by_the_gate() -> None:
    found = fate(POISONED, alerts(), training("2013-05-13"))
    assert found.noticed == found.contained == found.healed == day("2013-05-13")
    assert found.contained_by == "refused: floor_roc_auc: FAILED 0.4"


def test_a_poisoned_model_is_the_last_one_of_its_step() -> None:
    regular, meddled = training("2013-05-13", "2"), training("2013-05-13")
    assert fate(POISONED, alerts(), regular, meddled).contained == day("2013-05-13")
    assert fate(POISONED, alerts(), meddled, regular).contained is None


def test_each_of_two_poisons_in_a_step_has_the_decision_on_its_own_model() -> None:
    both = [POISONED.model_copy(update={"start": day(start)}) for start in ("2013-05-14", "2013-05-15")]
    own, promoted, refused = training("2013-05-20"), training("2013-05-20", "2"), training("2013-05-20")
    for decided in ([promoted, refused], [own, promoted, refused]):
        first, second = fates_of(both, story("triggered", trainings=(FIRST, *decided)), LOG, NOWS)
        assert (first.contained, first.contained_by) == (None, "nothing refused it")
        assert second.contained == day("2013-05-20")


def test_a_poison_whose_training_was_not_decided_on_was_not_reached() -> None:
    found = fates_of([POISONED, POISONED], story("never", trainings=(training("2013-05-13"),)), LOG, NOWS)
    assert [one.contained_by for one in found] == [
        "refused: floor_roc_auc: FAILED 0.4",
        "it was not reached",
    ]


def test_a_refusal_of_the_policys_own_is_not_taken_for_the_meddled_one_that_equals_it() -> None:
    silent, poison = SILENT.model_copy(update={"end": day("2013-05-14")}), POISONED
    own, meddled = training("2013-05-13"), training("2013-05-13")
    rows = alerts(alert("freshness", "2013-05-06", "2013-05-20"))
    found, _ = fates_of(
        [silent, poison], story("triggered", rows=rows, trainings=(FIRST, own, meddled)), LOG, NOWS
    )
    assert found.contained_by == "the gate refused what was trained meanwhile"


def test_files_that_came_twice_are_known_as_duplicates_in_the_step_that_takes_them() -> None:
    found = fate(RESENT)
    assert (found.noticed, found.healed) == (day("2013-05-27"), day("2013-05-27"))
    assert found.contained_by == "200 lines of 2 files known as duplicates, none counted twice"


@pytest.mark.parametrize("log", [LOG.iloc[:0], LOG.assign(duplicates=0)])
def test_files_that_were_counted_twice_are_not_contained(log: pd.DataFrame) -> None:
    assert fate_of(RESENT, story("never"), log, NOWS).contained is None


def test_an_incident_that_no_rule_noticed_is_told_so() -> None:
    found = fate(SCALED)
    assert (found.noticed, found.contained, found.healed) == (None, None, day("2013-06-17"))


def test_files_that_come_again_after_the_end_are_not_known_yet() -> None:
    # The first of the two comes again on the 26th.
    early, between = ([now for now in NOWS if now < day(end)] for end in ("2013-05-25", "2013-05-28"))
    played = story("triggered")
    assert fate_of(RESENT, played, LOG, early) == Fate(RESENT, None, "", None, "", None)
    assert fate_of(RESENT, played, LOG, between).noticed == day("2013-05-27")

import json
import math
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lakehouse_ml.model_files import FACTS
from lakehouse_ml.pipelines.promotion.artefact import ARTEFACT_RULES
from lakehouse_ml.pipelines.promotion.data import DATA_RULES
from lakehouse_ml.pipelines.promotion.decide import Decision, decide
from lakehouse_ml.pipelines.promotion.evidence import Incumbent, Landed, Standing, fingerprint
from lakehouse_ml.pipelines.promotion.rule_set import Limit, PromotionRules
from lakehouse_ml.pipelines.promotion.rules import EVIDENCE_RULES
from promotion_builders import (
    DAYS,
    DECLARED,
    DIGESTS,
    HOLDOUT_END,
    HOLDOUT_START,
    RULES,
    first_evidence,
    later_evidence,
    measurement,
    measurements,
    probes,
    rules,
    with_candidate,
)


def failed(decision: Decision) -> set[str]:
    return {verdict.rule for verdict in decision.verdicts if not verdict.passed}


def changed(evidence, which, **changes):
    """The evidence with the measurements that ``which`` picks changed."""
    rows = tuple(replace(m, **changes) if which(m) else m for m in evidence.measurements)
    return replace(evidence, measurements=rows)


def without(evidence, which):
    return replace(evidence, measurements=tuple(m for m in evidence.measurements if not which(m)))


def is_metric(role, metric, compared_to=""):
    return lambda m: m.is_overall and (m.role, m.metric, m.compared_to) == (role, metric, compared_to)


def test_the_first_good_model_is_promoted_and_says_that_there_was_no_champion():
    decision = decide(first_evidence(), rules())
    assert (decision.outcome, decision.elected, failed(decision)) == ("promoted", "challenger", set())
    assert "not applied: there is no champion yet" in " ".join(decision.reasons)


def test_a_challenger_that_beats_the_champion_is_promoted():
    decision = decide(later_evidence(champion_gain=0.02), rules())
    assert (decision.outcome, decision.elected) == ("promoted", "challenger")


@pytest.mark.parametrize("gain", [0.0, -0.02], ids=["equal", "worse"])
def test_a_challenger_that_does_not_beat_the_champion_is_refused(gain):
    decision = decide(later_evidence(champion_gain=gain), rules())
    assert (decision.outcome, failed(decision)) == ("refused", {"beats_champion"})


def test_a_gain_over_the_champion_that_may_be_luck_is_refused():
    lucky = is_metric("challenger", "average_precision", "champion")
    decision = decide(changed(later_evidence(), lucky, low=-0.006), rules())
    assert failed(decision) == {"beats_champion"}


@pytest.mark.parametrize(
    ("gain", "low", "elected"),
    [
        (0.02, 0.01, "challenger"),
        (0.001, -0.0049, "challenger"),
        (0.001, -0.005, "baseline"),
        (0.0, 0.0, "baseline"),
        (-0.01, -0.02, "baseline"),
    ],
)
def test_the_challenger_is_elected_by_difference_and_interval(gain, low, elected):
    other = is_metric("challenger", "average_precision", "baseline")
    decision = decide(changed(first_evidence(), other, value=gain, low=low, high=0.1), rules())
    assert (decision.elected, decision.outcome) == (elected, "promoted")


def test_an_elected_baseline_is_the_one_that_is_compared_to_the_champion():
    evidence = replace(later_evidence(), measurements=measurements(gain=-0.05, champion_gain=-0.04))
    assert decide(evidence, rules()).elected == "baseline"
    assert decide(evidence, rules()).outcome == "promoted"


@pytest.mark.parametrize("metric", ["roc_auc", "brier_skill", "ap_over_base_rate"])
@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_model_below_a_floor_is_refused(metric, value):
    decision = decide(changed(first_evidence(), is_metric("challenger", metric), value=value), rules())
    assert failed(decision) == {f"floor_{metric}"}


def test_a_floor_is_asked_of_the_elected_model_only():
    evidence = changed(first_evidence(), is_metric("baseline", "roc_auc"), value=0.5)
    assert decide(evidence, rules()).outcome == "promoted"


@pytest.mark.parametrize("part", ["value", "low", "high"])
@pytest.mark.parametrize("number", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "which",
    [
        ("challenger", "average_precision", "baseline"),
        ("challenger", "average_precision", "champion"),
        ("challenger", "roc_auc", ""),
        ("champion", "average_precision", ""),
    ],
)
def test_a_number_that_is_missing_or_not_finite_is_refused(part, number, which):
    decision = decide(changed(later_evidence(), is_metric(*which), **{part: number}), rules())
    assert decision.outcome == "refused"
    assert "evaluation_complete" in failed(decision)


@pytest.mark.parametrize(
    "which", [("challenger", "roc_auc", ""), ("challenger", "average_precision", "baseline")]
)
def test_a_number_that_is_not_there_is_refused(which):
    decision = decide(without(first_evidence(), is_metric(*which)), rules())
    assert "evaluation_complete" in failed(decision)
    assert "must stand once, stands 0 times" in " ".join(decision.reasons)


def test_a_comparison_that_was_not_made_elects_nobody_rather_than_the_baseline():
    decision = decide(
        without(first_evidence(), is_metric("challenger", "average_precision", "baseline")), rules()
    )
    assert decision.elected is None
    assert failed(decision) == {"elected", "evaluation_complete"}


def test_every_rule_has_its_verdict_though_nobody_is_elected():
    broken = without(first_evidence(), is_metric("challenger", "average_precision", "baseline"))
    weak = changed(broken, is_metric("challenger", "roc_auc"), value=0.5)
    judged = [verdict.rule for verdict in decide(weak, rules()).verdicts]
    assert judged == [*(verdict.rule for verdict in decide(first_evidence(), rules()).verdicts), "elected"]
    assert failed(decide(weak, rules())) == {"elected", "evaluation_complete", "floor_roc_auc"}


def test_a_number_that_stands_twice_is_refused():
    evidence = first_evidence()
    twice = (*evidence.measurements, measurement("challenger", "roc_auc", 0.99))
    decision = decide(replace(evidence, measurements=twice), rules())
    assert {"evaluation_complete", "floor_roc_auc"} <= failed(decision)


def test_an_empty_evaluation_is_refused_by_every_rule_that_needs_it():
    decision = decide(first_evidence(measurements=()), rules())
    assert {"evaluation_complete", "evaluation_of_these_models", "enough_rows", "elected"} <= failed(decision)


def test_the_evaluation_of_another_model_is_refused():
    evidence = changed(first_evidence(), lambda m: m.role == "challenger", model_digest="d" * 64)
    decision = decide(evidence, rules())
    assert {"evaluation_of_these_models", "evaluation_complete"} <= failed(decision)
    assert f"evaluated were {'d' * 64}" in " ".join(decision.reasons)


def test_the_evaluation_of_another_champion_is_refused():
    evidence = later_evidence(incumbent=Incumbent("1", "e" * 64, date(2013, 8, 6)))
    assert "evaluation_of_these_models" in failed(decide(evidence, rules()))


def test_a_comparison_with_another_champion_is_refused():
    other = is_metric("challenger", "average_precision", "champion")
    decision = decide(changed(later_evidence(), other, compared_digest="e" * 64), rules())
    assert failed(decision) == {"evaluation_complete", "beats_champion"}


def test_measurements_of_an_earlier_training_of_the_run_do_not_disturb():
    stale = measurement("challenger", "roc_auc", 0.2, model_digest="d" * 64)
    evidence = first_evidence(measurements=(*measurements(), stale))
    assert decide(evidence, rules()).outcome == "promoted"


@pytest.mark.parametrize(
    "change", [{"rows": 23_999}, {"positives": 4_999}, {"days": 27}, {"keys_digest": "f" * 64}]
)
def test_models_measured_on_different_rows_are_refused(change):
    evidence = changed(later_evidence(), lambda m: m.role == "champion", **change)
    assert failed(decide(evidence, rules())) == {"same_rows", "rows_as_declared"}


@pytest.mark.parametrize(("keys", "told"), [("f" * 64, "f" * 12), (None, "not on record")])
def test_as_many_other_rows_than_gold_has_are_refused_also_where_all_models_had_them(keys, told):
    decision = decide(changed(later_evidence(), lambda m: m.is_overall, keys_digest=keys), rules())
    assert failed(decision) == {"rows_as_declared"}
    assert f"[(24000, 5000, 28, '{told}')], in gold: (24000, 5000, 28, 'eeeeeeeeeeee')" in str(
        decision.reasons
    )


def test_another_holdout_than_training_declared_is_refused():
    evidence = changed(first_evidence(), lambda m: True, holdout_start=HOLDOUT_START + timedelta(days=1))
    assert failed(decide(evidence, rules())) == {"same_rows"}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("enough_rows", {"rows": 999}),
        ("enough_positives", {"positives": 199}),
    ],
)
def test_too_little_to_judge_by_is_refused(rule, change):
    declared = replace(DECLARED, **change)
    evidence = changed(first_evidence(declared=declared), lambda m: m.is_overall, **change)
    assert failed(decide(evidence, rules())) == {rule}


def test_too_few_days_to_judge_by_are_refused_as_days_and_as_new_ones():
    declared = replace(DECLARED, labelled_days=DAYS[:12])
    evidence = changed(first_evidence(declared=declared), lambda m: m.is_overall, days=12)
    assert failed(decide(evidence, rules())) == {"enough_days", "enough_new_days"}


def test_a_champion_that_was_trained_on_holdout_days_is_refused():
    evidence = later_evidence(
        incumbent=Incumbent("1", DIGESTS["champion"], HOLDOUT_START + timedelta(days=1))
    )
    assert failed(decide(evidence, rules())) == {"holdout_after_training"}


def test_a_champion_that_was_trained_up_to_the_holdout_is_compared():
    evidence = later_evidence(incumbent=Incumbent("1", DIGESTS["champion"], HOLDOUT_START))
    assert decide(evidence, rules()).outcome == "promoted"


def test_candidates_trained_on_holdout_days_are_refused():
    evidence = first_evidence()
    trained = evidence.trained.model_copy(update={"train_end": HOLDOUT_START + timedelta(days=1)})
    late = replace(evidence, trained=trained, probes=probes(trained))
    assert failed(decide(late, rules())) == {"holdout_after_training"}


@pytest.mark.parametrize(
    ("new_days", "outcome"), [(28, "promoted"), (14, "promoted"), (13, "refused"), (0, "refused")]
)
def test_holdout_days_that_promoted_before_count_no_second_time(new_days, outcome):
    judged = HOLDOUT_END - timedelta(days=new_days)
    decision = decide(later_evidence(standing=Standing(1, "1", DIGESTS["champion"], judged)), rules())
    assert decision.outcome == outcome
    assert failed(decision) == ({"enough_new_days"} if outcome == "refused" else set())


def test_new_days_without_a_labelled_row_do_not_count():
    judged = HOLDOUT_END - timedelta(days=20)
    declared = replace(DECLARED, labelled_days=DAYS[:20])
    evidence = later_evidence(standing=Standing(1, "1", DIGESTS["champion"], judged), declared=declared)
    decision = decide(changed(evidence, lambda m: m.is_overall, days=20), rules())
    assert failed(decision) == {"enough_new_days"}
    assert f"13 (must be >= 14) holdout days with labelled rows from {judged} on" in " ".join(
        decision.reasons
    )


def test_the_newest_day_counts_though_its_outcomes_are_awaited():
    """A training two weeks after a promotion would be refused for it, and wait for another two weeks."""
    judged = HOLDOUT_END - timedelta(days=14)
    declared = replace(DECLARED, labelled_days=DAYS[:27])
    evidence = later_evidence(standing=Standing(1, "1", DIGESTS["champion"], judged), declared=declared)
    assert decide(changed(evidence, lambda m: m.is_overall, days=27), rules()).outcome == "promoted"


def test_the_labelled_days_are_on_record_as_dates():
    record = json.loads(decide(first_evidence(), rules()).record)
    assert record["evidence"]["declared"]["labelled_days"] == [day.isoformat() for day in DAYS]


def on_airport(m):
    return (m.slice, m.slice_value, m.compared_to) == ("origin", "JFK", "champion") and m.role == "challenger"


@pytest.mark.parametrize(
    ("size", "outcome"), [({"rows": 499}, "promoted"), ({"days": 6}, "promoted"), ({}, "refused")]
)
def test_a_slice_that_falls_behind_has_a_say_from_enough_rows_and_days_on(size, outcome):
    behind = changed(later_evidence(), on_airport, value=-0.2, low=-0.3, high=-0.1, **size)
    decision = decide(behind, rules())
    assert (decision.outcome, failed(decision)) == (
        outcome,
        {"slices_keep_up"} if outcome == "refused" else set(),
    )


@pytest.mark.parametrize("age_days", [8, -1], ids=["stale", "from the future"])
def test_an_evaluation_of_another_time_is_refused(age_days):
    evidence = first_evidence()
    evaluated = evidence.trained.model_copy(update={"as_of": evidence.as_of - timedelta(days=age_days)})
    assert failed(decide(replace(evidence, trained=evaluated), rules())) == {"evaluation_fresh"}


@pytest.mark.parametrize(
    "standing",
    [
        Standing(1, "2", DIGESTS["champion"], None),
        Standing(1, "1", "e" * 64, None),
        Standing(1, None, None, None),
    ],
    ids=["another version", "another digest", "no version"],
)
def test_an_alias_that_is_not_where_the_ledger_left_it_is_refused(standing):
    assert failed(decide(later_evidence(standing=standing), rules())) == {"champion_follows_ledger"}


def test_a_ledger_with_a_champion_that_the_registry_lacks_is_refused():
    evidence = first_evidence(standing=Standing(1, "1", DIGESTS["champion"], HOLDOUT_START))
    assert failed(decide(evidence, rules())) == {"champion_follows_ledger"}


def test_a_model_whose_files_are_faulty_is_refused_with_the_fault_on_record():
    decision = decide(first_evidence(faults={"challenger": "EOFError()"}), rules())
    assert failed(decision) == {"candidates_intact"}
    assert "challenger: EOFError()" in " ".join(decision.reasons)


@pytest.mark.parametrize("role", ["baseline", "challenger"])
def test_a_training_without_both_models_is_refused(role):
    evidence = first_evidence()
    models = {name: model for name, model in evidence.trained.models.items() if name != role}
    alone = replace(evidence, trained=evidence.trained.model_copy(update={"models": models}))
    assert "candidates_intact" in failed(decide(alone, rules()))


@pytest.mark.parametrize("rule", [rule.__name__ for rule in EVIDENCE_RULES])
def test_an_exception_inside_any_rule_is_refused_with_the_exception_on_record(monkeypatch, rule):
    def broken(evidence, rules):
        raise ZeroDivisionError("oops")

    broken.__name__ = rule
    replaced = tuple(broken if known.__name__ == rule else known for known in EVIDENCE_RULES)
    monkeypatch.setattr("lakehouse_ml.pipelines.promotion.decide.EVIDENCE_RULES", replaced)
    decision = decide(first_evidence(), rules())
    assert failed(decision) == {rule}
    assert f"FAILED {rule}: raised ZeroDivisionError('oops')" in " ".join(decision.reasons)


def test_every_rule_has_one_verdict_under_its_own_name():
    names = [verdict.rule for verdict in decide(later_evidence(), rules()).verdicts]
    limits = [f"{kind[:-1]}_{metric}" for kind in ("floors", "ceilings") for metric in sorted(RULES[kind])]
    asked = [rule.__name__ for group in (EVIDENCE_RULES, DATA_RULES) for rule in group]
    served = [rule.__name__ for rule in ARTEFACT_RULES]
    assert names == [*asked, *limits, "not_worse_cost", "slices_keep_up", *served, "beats_champion"]


def test_failed_rules_are_the_first_reasons_after_the_election():
    few = changed(first_evidence(declared=replace(DECLARED, rows=10)), lambda m: m.is_overall, rows=10)
    decision = decide(few, rules())
    assert decision.reasons[0].startswith("elected challenger: passed beats_baseline: 0.02 [0.016, 0.024]")
    assert decision.reasons[1].startswith("FAILED enough_rows: 10 (must be >= 1000)")


def test_the_record_is_json_with_everything_and_its_hash_is_its_own():
    decision = decide(later_evidence(), rules())
    record = json.loads(decision.record)
    assert set(record) == {"evidence", "rules", "election", "verdicts"}
    assert record["evidence"]["trained"]["models"]["challenger"]["digest"] == DIGESTS["challenger"]
    assert record["rules"] == rules().model_dump(mode="json")
    assert decision.evidence_hash == fingerprint(decision.record)


def test_a_number_that_json_does_not_know_stands_in_the_record_as_a_word():
    evidence = changed(first_evidence(), is_metric("challenger", "roc_auc"), value=math.inf)
    values = [m["value"] for m in json.loads(decide(evidence, rules()).record)["evidence"]["measurements"]]
    assert "inf" in values


@given(st.permutations(measurements(champion_gain=0.01)))
def test_the_order_of_the_evidence_changes_nothing(rows):
    in_order = decide(later_evidence(champion_gain=0.01), rules())
    shuffled = decide(later_evidence(measurements=tuple(rows)), rules())
    assert (shuffled.record, shuffled.reasons) == (in_order.record, in_order.reasons)


@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_nothing_is_promoted_over_the_champion_but_by_a_finite_gain_beyond_the_margin(value, low, high):
    other = is_metric("challenger", "average_precision", "champion")
    decision = decide(changed(later_evidence(), other, value=value, low=low, high=high), rules())
    is_better = all(map(math.isfinite, (value, low, high))) and value > 0 and low > -0.005
    assert decision.is_passed == is_better


@pytest.mark.parametrize("absent", RULES)
def test_a_partial_rule_set_is_refused(absent):
    with pytest.raises(ValidationError, match=absent):
        PromotionRules.model_validate({name: group for name, group in RULES.items() if name != absent})


@pytest.mark.parametrize("group", ["evidence", "margin", "slices", "data", "artefact", "approval"])
def test_a_rule_set_with_a_gap_in_a_group_is_refused(group):
    for name in RULES[group]:
        partial = {key: value for key, value in RULES[group].items() if key != name}
        with pytest.raises(ValidationError, match=name):
            rules(**{group: partial})


@pytest.mark.parametrize("absent", ["roc_auc", "brier_skill", "ap_over_base_rate"])
def test_a_rule_set_without_a_floor_that_the_design_asks_for_is_refused(absent):
    floors = {metric: limit for metric, limit in RULES["floors"].items() if metric != absent}
    with pytest.raises(ValidationError, match=f"floors lack {absent}"):
        rules(floors=floors)


@pytest.mark.parametrize("empty", [{}, None])
def test_an_empty_rule_set_is_refused(empty):
    with pytest.raises(ValidationError):
        PromotionRules.model_validate(empty)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValidationError, match="dry_run"):
        rules(dry_run=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"evidence": {**RULES["evidence"], "new_days_min": 0}},
        {"margin": {**RULES["margin"], "low_above": math.nan}},
        {"margin": {**RULES["margin"], "above": -0.1}},
        {"floors": {**RULES["floors"], "roc_auc": {}}},
        {"floors": {**RULES["floors"], "roc_auc": {"above": 0.6, "at_least": 0.6}}},
        {"floors": {**RULES["floors"], "roc_auc": {"at_most": 0.65}}},
        {"ceilings": {**RULES["ceilings"], "roc_auc": {"at_least": 0.9}}},
        {"ceilings": {**RULES["ceilings"], "calibration_error": {"above": 0.1}}},
    ],
)
def test_a_limit_that_is_none_is_refused(wrong):
    with pytest.raises(ValidationError):
        rules(**wrong)


def test_a_further_floor_is_one_more_line_of_the_rule_set():
    strict = rules(floors={**RULES["floors"], "average_precision": {"at_least": 0.9}})
    assert failed(decide(first_evidence(), strict)) == {"floor_average_precision"}


def test_a_limit_never_allows_what_is_not_a_number():
    assert not Limit(above=0.0).allows(math.nan)
    assert not Limit(at_least=0.0).allows(math.nan)
    assert Limit(at_least=0.5).allows(0.5)
    assert not Limit(above=0.5).allows(0.5)


def test_an_alert_that_only_a_new_model_ends_holds_none_back():
    evidence = first_evidence()
    told = (("unseen_category", "schedule"),)
    answered = replace(evidence, data=replace(evidence.data, open_alerts=told))
    assert decide(answered, rules()).outcome == "promoted"
    broken = replace(evidence, data=replace(evidence.data, open_alerts=(*told, ("labels_late", "outcomes"))))
    assert failed(decide(broken, rules())) == {"no_open_data_alert"}


@pytest.mark.parametrize("fact", ["threshold", "trained_until", "base_rate", "feature_fingerprint", "role"])
def test_a_model_whose_files_do_not_say_what_training_declared_is_refused(fact):
    evidence = first_evidence()
    said = tuple((name, value) for name, value in evidence.probes["challenger"].facts if name != fact)
    for facts, found in ((said, "absent"), ((*said, (fact, "0.9")), "0.9")):
        known = {**evidence.probes, "challenger": replace(evidence.probes["challenger"], facts=facts)}
        decision = decide(replace(evidence, probes=known), rules())
        assert failed(decision) == {"artefact_facts"}
        assert f"{fact} is {found}, declared was" in " ".join(decision.reasons)


def test_evaluated_with_another_threshold_than_will_be_served_is_refused():
    evidence = with_candidate(first_evidence(), "challenger", threshold=0.31)
    assert "threshold is 0.3, declared was 0.31" in " ".join(decide(evidence, rules()).reasons)


def test_a_model_must_say_every_fact_that_loading_it_asks_for():
    assert set(first_evidence().trained.facts("challenger")) == set(FACTS)


def test_a_small_source_that_is_rejected_as_a_whole_is_not_hidden_by_the_large_ones():
    data = first_evidence().data
    small = replace(data, landed=(*data.landed, Landed("planes", 3, 2)))
    decision = decide(first_evidence(data=small), rules())
    assert failed(decision) == {"few_rejected"}
    worst = next(verdict for verdict in decision.verdicts if verdict.rule == "few_rejected")
    assert (worst.value, worst.limit) == (2 / 3, "<= 0.05")
    assert worst.reason == "planes: 2 of 3 lines, 2013-01-01 to 2013-10-01 00:00"
    assert failed(decide(first_evidence(data=replace(data, landed=())), rules())) == {"few_rejected"}


def test_the_latest_source_stands_with_its_hours_and_its_limit():
    data = first_evidence().data
    newest = dict(data.newest) | {"weather": first_evidence().as_of - timedelta(hours=31)}
    decision = decide(first_evidence(data=replace(data, newest=tuple(newest.items()))), rules())
    assert failed(decision) == {"data_fresh"}
    assert "FAILED data_fresh: 31 (must be <= 30) hours, weather is 31 h old" in decision.reasons


def test_every_rule_that_measures_says_value_and_limit():
    bare = {verdict.rule for verdict in decide(later_evidence(), rules()).verdicts if verdict.limit is None}
    assert bare == {
        "candidates_intact", "champion_follows_ledger", "evaluation_of_these_models", "evaluation_complete",
        "same_rows", "rows_as_declared", "not_taken_back", "artefact_loads", "artefact_signature",
        "artefact_facts", "artefact_pinned", "artefact_answers",
    }  # fmt: skip


def test_a_slice_that_was_measured_but_not_compared_is_refused():
    jfk = measurement("challenger", "roc_auc", 0.8, slice="origin", slice_value="JFK", rows=8_000)
    evidence = without(first_evidence(), lambda m: m.slice_value == "JFK")
    assert decide(evidence, rules()).outcome == "promoted"
    for small in ({"rows": 499}, {"days": 6}):
        few = (*evidence.measurements, replace(jfk, **small))
        assert decide(replace(evidence, measurements=few), rules()).outcome == "promoted"
    decision = decide(replace(evidence, measurements=(*evidence.measurements, jfk)), rules())
    assert failed(decision) == {"slices_keep_up"}
    assert "origin JFK: challenger is not compared with baseline by average_precision" in str(
        decision.reasons
    )

from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from lakehouse_ml.pipelines.promotion.decide import decide
from lakehouse_ml.pipelines.promotion.model_card import ModelCard, model_card, write_model_card
from promotion_builders import first_evidence, later_evidence, measurement, rules, with_candidate

USE_CASE = SimpleNamespace(name="flights", model_name="lateness", owners={"model": "data science"})


def card(evidence=None) -> str:
    return write_model_card(decide(evidence or later_evidence(), rules()), USE_CASE)


def test_has_every_section_a_reader_needs():
    titles = [line for line in card().splitlines() if line.startswith("#")]
    assert titles == [
        "# lateness: challenger of run run-1",
        "## Identity",
        "## Data",
        "## Quality on the holdout",
        "## Slices",
        "## Limits",
        "## Rules",
    ]


def test_names_owner_window_and_table_versions():
    text = card()
    assert "| Owner | data science |" in text
    assert "Trained on 2013-01-01 to 2013-09-03, judged on 2013-09-03 to 2013-10-01" in text
    assert "| gold.features | 3 |" in text


def test_of_a_copy_it_tells_what_it_was_trained_on_from_what_it_was_judged_on():
    evidence = later_evidence()
    copied = {
        "copied_from": "staging.ml.lateness version 3",
        "copied_digest": evidence.digests["challenger"],
        "judged_versions": {"gold.features": 9},
    }
    text = card(replace(evidence, trained=evidence.trained.model_copy(update=copied)))
    assert "| Copied from | staging.ml.lateness version 3 |" in text
    trained, judged = text.split("Judged on, here:")
    assert "| gold.features | 3 |" in trained.split("Trained on, where it was copied from:")[1]
    assert "| gold.features | 9 |" in judged
    assert "Judged on, here" not in card()


def test_shows_metrics_and_differences_with_their_intervals():
    text = card()
    assert "| challenger | roc_auc | 0.7700 [0.7660, 0.7740] |" in text
    assert "| challenger minus champion | average_precision | 0.0200 [0.0160, 0.0240] |" in text


def test_shows_the_slices_of_the_elected_model():
    assert "| origin EWR | roc_auc | 0.8000 [0.7960, 0.8040] | 8000 |" in card()


def test_says_where_a_metric_is_not_defined():
    evidence = first_evidence()
    empty = measurement("challenger", "roc_auc", None, slice="carrier", slice_value="OO", rows=3)
    shown = card(replace(evidence, measurements=(*evidence.measurements, empty)))
    assert "| carrier OO | roc_auc | not defined | 3 |" in shown


def test_warns_of_what_training_found_odd():
    evidence = with_candidate(first_evidence(), "challenger", warnings=["C on its bound 0.01"])
    assert "- C on its bound 0.01" in card(evidence)


def test_lists_every_rule_with_its_verdict():
    text = card()
    assert "| beats_champion | passed | 0.02 | > 0, lower end > -0.005 |" in text
    assert "| enough_rows | passed | 24000 | >= 1000 |" in text


def test_is_empty_when_nobody_is_elected():
    assert card(first_evidence(measurements=())) == ""


def test_is_empty_for_a_refused_model():
    refused = with_candidate(later_evidence(), "challenger")
    refused = replace(refused, declared=replace(refused.declared, rows=1))
    assert card(refused) == ""


@pytest.mark.parametrize(
    ("part", "nothing"),
    [
        ("owner", ""),
        ("identity", {"Run": ""}),
        ("input_versions", {}),
        ("metrics", ()),
        ("slices", ()),
        ("limits", ()),
        ("rules", ()),
        ("train_end", "2013-09-04"),
    ],
)
def test_the_schema_refuses_a_card_that_lacks_a_part(part, nothing):
    whole = model_card(decide(later_evidence(), rules()), USE_CASE).model_dump()
    with pytest.raises(ValidationError, match="judged after" if part == "train_end" else part):
        ModelCard.model_validate({**whole, part: nothing})

from datetime import timedelta

import pytest

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.ledger import LedgerError
from lakehouse_ml.pipelines.promotion.apply import ledger_entry
from lakehouse_ml.pipelines.promotion.approval import refuse_outdated
from lakehouse_ml.pipelines.promotion.decide import decide
from ledger_builders import entry
from promotion_builders import AS_OF, RULES, first_evidence, rules

ASKED = {"approval": {"required": True, "shadow_rows_min": 0}}
DECIDED = ledger_entry(decide(first_evidence(), rules(**ASKED)), None, Run("run-1", AS_OF, {}))


def test_a_recent_decision_by_the_same_rules_holds():
    assert DECIDED.decision == "awaiting_approval"
    refuse_outdated(DECIDED, rules(**ASKED), AS_OF + timedelta(days=7))


def test_a_decision_that_is_older_than_evidence_may_be_is_not_approved():
    with pytest.raises(
        LedgerError, match=r"as of 2013-10-01 00:00, 7\.5 days before .*max_age_days allows 7.*retrain"
    ):
        refuse_outdated(DECIDED, rules(**ASKED), AS_OF + timedelta(days=7.5))


def test_a_decision_by_other_rules_is_not_approved_and_the_group_is_named():
    stricter = {"evidence": {**RULES["evidence"], "rows_min": 5000}}
    with pytest.raises(LedgerError, match=r"is not approved: evidence of promotion\.rules changed since"):
        refuse_outdated(DECIDED, rules(**ASKED, **stricter), AS_OF)


def test_a_record_without_rules_is_judged_by_its_age_alone():
    refuse_outdated(entry(), rules(), AS_OF)

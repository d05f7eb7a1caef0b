"""Whether a decision that awaits its approval still says what it said when it was made."""

import json
from datetime import datetime

from lakehouse_ml.ledger import Entry, LedgerError
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules


def refuse_outdated(decided: Entry, rules: PromotionRules, now: datetime) -> None:
    """Make sure that a decision is recent, and was made by the rules that hold now.

    Args:
        decided: The decision that is to be approved of.
        rules: The environment's rule set.
        now: The now of the environment's newest run, UTC.

    Raises:
        LedgerError: It is older than evidence may be, or another rule set judged.
    """
    age, most = (now - decided.as_of).total_seconds() / 86400, rules.evidence.max_age_days
    faults = []
    if age > most:
        faults.append(
            f"it was decided as of {decided.as_of:%Y-%m-%d %H:%M}, {age:.1f} days before the newest run's "
            f"{now:%Y-%m-%d %H:%M}: promotion.rules.evidence.max_age_days allows {most:g}"
        )
    faults += [f"{group} of promotion.rules changed since" for group in _changed(decided, rules)]
    if faults:
        raise LedgerError(
            f"Version {decided.model_version} is not approved: {'; '.join(faults)}. Evaluate again with "
            f"`kedro run --pipelines retrain`."
        )


def _changed(decided: Entry, rules: PromotionRules) -> list[str]:
    """Groups of the rule set that are not as the decision's record has them."""
    judged_by = json.loads(decided.evidence or "{}").get("rules")
    today = rules.model_dump(mode="json")
    if judged_by is None:
        return []
    return sorted(name for name in {*judged_by, *today} if judged_by.get(name) != today.get(name))

"""Rules on the evidence: is there enough of it, is it about these models, and is it honest?"""

import math
from datetime import UTC, datetime, time, timedelta

from lakehouse_ml.lakehouse.affected_days import DAY, days_between
from lakehouse_ml.pipelines.promotion.evidence import BASELINE, CHALLENGER, CHAMPION, Evidence
from lakehouse_ml.pipelines.promotion.rule_set import PromotionRules
from lakehouse_ml.pipelines.promotion.verdict import Rule, Verdict


def candidates_intact(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Both models are there, and their files are those that were evaluated."""
    faults = dict(evidence.faults)
    for role in (BASELINE, CHALLENGER):
        if role not in evidence.trained.models:
            faults[role] = "training handed over no such model"
    found = "; ".join(f"{role}: {fault}" for role, fault in sorted(faults.items()))
    return Verdict("candidates_intact", not faults, found or "files are as evaluated")


def champion_follows_ledger(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """The alias is where the ledger's newest row left it."""
    known, ledger = evidence.incumbent, evidence.standing
    alias = (known.version, known.digest) if known else (None, None)
    passed = alias == (ledger.champion, ledger.champion_digest)
    found = f"alias: {_named(*alias)}, ledger: {_named(ledger.champion, ledger.champion_digest)}"
    remedy = "" if passed else "; the alias follows the ledger after this run, then promote again"
    return Verdict("champion_follows_ledger", passed, found + remedy)


def _named(version: str | None, digest: str | None) -> str:
    return "no version" if version is None else f"version {version} with digest {digest}"


def evaluation_of_these_models(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """The evaluation measured the files that would be promoted, and this champion."""
    measured = {m.role for m in evidence.overall}
    found = [
        f"{role} has digest {digest}, evaluated were {_evaluated(evidence, role)}"
        for role, digest in evidence.digests.items()
        if role not in measured
    ]
    return Verdict("evaluation_of_these_models", not found, "; ".join(found) or "digests agree")


def _evaluated(evidence: Evidence, role: str) -> str:
    return ", ".join(sorted({m.model_digest for m in evidence.measurements if m.role == role})) or "none"


def evaluation_complete(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Every number that a rule needs is there once, and finite."""
    own = {rules.margin.metric: None, **rules.floors, **rules.ceilings}
    wanted = [(role, metric, "") for role in evidence.digests for metric in own]
    compared = dict.fromkeys((rules.margin.metric, *rules.not_worse))
    wanted += [(CHALLENGER, metric, BASELINE) for metric in compared]
    if evidence.incumbent is not None:
        wanted += [(role, metric, CHAMPION) for role in (BASELINE, CHALLENGER) for metric in compared]
    faults = [fault for key in wanted if (fault := _fault(evidence, *key))]
    if faults:
        # A model that cannot even be loaded has no numbers: then that is the reason.
        faults += [f"{role}: {probe.fault}" for role, probe in sorted(evidence.probes.items()) if probe.fault]
    return Verdict(
        "evaluation_complete", not faults, "; ".join(faults) or f"{len(wanted)} numbers are finite"
    )


def _fault(evidence: Evidence, role: str, metric: str, compared_to: str) -> str:
    try:
        numbers(evidence, role, metric, compared_to)
    except ValueError as error:
        return str(error)
    return ""


def numbers(evidence: Evidence, role: str, metric: str, compared_to: str = "") -> tuple[float, float, float]:
    """Value, lower and upper end of a metric over the whole holdout.

    Raises:
        ValueError: It is not there, not finite, or there twice.
    """
    found = evidence.find(role, metric, compared_to)
    name = f"{role}{' minus ' + compared_to if compared_to else ''} {metric}"
    if len(found) != 1:
        raise ValueError(f"{name}: must stand once, stands {len(found)} times")
    value, low, high = found[0].value, found[0].low, found[0].high
    if value is None or low is None or high is None or not all(map(math.isfinite, (value, low, high))):
        raise ValueError(f"{name}: must be finite, is {value} [{low}, {high}]")
    return value, low, high


def same_rows(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """All models were measured on the same rows, by their keys, of the holdout that training left untouched."""
    declared = (evidence.trained.holdout_start, evidence.trained.holdout_end)
    shapes = {(m.rows, m.positives, m.days, m.keys_digest) for m in evidence.overall}
    holdouts = {(m.holdout_start, m.holdout_end) for m in evidence.overall}
    passed = len(shapes) == 1 and holdouts == {declared}
    counts = sorted(
        f"{rows} rows, {positives} positives, {days} days, keys {_short(keys)}"
        for rows, positives, days, keys in shapes
    )
    days = sorted(f"{start} to {end}" for start, end in holdouts)
    return Verdict("same_rows", passed, f"{counts} on {days}, declared {declared[0]} to {declared[1]}")


def _short(digest: str | None) -> str:
    return "not on record" if digest is None else digest[:12]


def rows_as_declared(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """The evaluated rows are all those of the holdout, and each once, by what the tables themselves say."""
    known = evidence.declared
    declared = (known.rows, known.positives, len(known.labelled_days), known.keys_digest)
    evaluated = {(m.rows, m.positives, m.days, m.keys_digest) for m in evidence.overall}
    told = sorted((*counts, _short(keys)) for *counts, keys in evaluated)
    found = f"evaluated (rows, positives, days, keys): {told}, in gold: {(*declared[:3], _short(known.keys_digest))}"
    return Verdict("rows_as_declared", evaluated == {declared}, found)


def enough_rows(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Enough labelled holdout rows."""
    return _at_least("enough_rows", [m.rows for m in evidence.overall], rules.evidence.rows_min)


def enough_positives(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Enough positive holdout rows."""
    return _at_least(
        "enough_positives", [m.positives for m in evidence.overall], rules.evidence.positives_min
    )


def enough_days(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Enough holdout days with labelled rows."""
    return _at_least("enough_days", [m.days for m in evidence.overall], rules.evidence.days_min)


def _at_least(rule: str, counts: list[int], least: int) -> Verdict:
    count = min(counts, default=0)
    return Verdict(rule, count >= least, "in the common holdout", value=count, limit=f">= {least}")


def holdout_after_training(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """No compared model was trained on a day of the holdout."""
    until = dict.fromkeys(evidence.trained.models, evidence.trained.train_end)
    if evidence.incumbent is not None:
        until[CHAMPION] = evidence.incumbent.trained_until
    start = evidence.trained.holdout_start
    found = "; ".join(f"{role} was trained until {day}" for role, day in sorted(until.items()) if day > start)
    return Verdict(
        "holdout_after_training", not found, found or f"all trained before {start}", limit=f"<= {start}"
    )


def enough_new_days(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """Enough holdout days that did not promote a model before; one without a labelled row is none."""
    trained = evidence.trained
    new_from = max(trained.holdout_start, evidence.standing.judged_until or trained.holdout_start)
    last_asked = trained.as_of - timedelta(hours=trained.label_wait_hours)
    # Of the newest day no outcome is due yet: it counts for this training, and not for the next one.
    awaited = {
        day
        for day in days_between(trained.holdout_start, trained.holdout_end - DAY)
        if datetime.combine(day, time(), UTC) >= last_asked
    }
    days = sum(day >= new_from for day in {*evidence.declared.labelled_days} | awaited)
    least = rules.evidence.new_days_min
    found = f"holdout days with labelled rows from {new_from} on"
    return Verdict("enough_new_days", days >= least, found, value=days, limit=f">= {least}")


def evaluation_fresh(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """The evaluation is not older than allowed, nor from the future."""
    age, most = (evidence.as_of - evidence.trained.as_of).total_seconds() / 86400, rules.evidence.max_age_days
    return Verdict("evaluation_fresh", 0 <= age <= most, "days old", value=age, limit=f"0 to {most:g}")


def not_taken_back(evidence: Evidence, rules: PromotionRules) -> Verdict:
    """No candidate is a model that was rolled back, unless it was evaluated anew since."""
    at = {role: evidence.standing.taken_back.get(digest) for role, digest in evidence.digests.items()}
    found = "; ".join(
        f"{role} was rolled back as of {then:%Y-%m-%d %H:%M}, evaluated as of {evidence.trained.as_of:%Y-%m-%d %H:%M}"
        for role, then in sorted(at.items())
        if then is not None and role != CHAMPION and evidence.trained.as_of <= then
    )
    return Verdict("not_taken_back", not found, found or "none was rolled back since its evaluation")


EVIDENCE_RULES: tuple[Rule, ...] = (
    candidates_intact,
    champion_follows_ledger,
    evaluation_of_these_models,
    evaluation_complete,
    same_rows,
    rows_as_declared,
    enough_rows,
    enough_positives,
    enough_days,
    holdout_after_training,
    enough_new_days,
    evaluation_fresh,
    not_taken_back,
)

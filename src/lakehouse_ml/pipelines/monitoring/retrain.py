"""The retrain controller: what asks for a new model, and what holds a training back. Drift alone never asks."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field, model_validator

from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.situation import DataAlert, Decided, Outcome, Situation, Training

DAY, WEEK = timedelta(days=1), timedelta(days=7)


class RetrainParams(Params):
    """When to retrain.

    Attributes:
        windows: Newest complete windows that are looked at.
        violations: So many of them must break a rule, the newest included.
        max_age_days: A champion promoted longer ago is replaced.
        schedule_days: A training is due so long after the last one, whatever came of that; None: no schedule.
        cooldown_days: None is asked for earlier after the last one.
        max_per_week: Requests in any seven days.
        min_new_labels: Entities whose truth became known since the last training.
        answered_by_training: Rules of the monitor that compare with the champion's own training. What they find is
            mended by then, or is here to stay, and only a new model will know it.
        mended_within_days: Until then it holds a training back as any other alert about the data does.
    """

    windows: int = Field(ge=1)
    violations: int = Field(ge=1)
    max_age_days: float = Field(gt=0)
    schedule_days: float | None = Field(gt=0)
    cooldown_days: float = Field(gt=0)
    max_per_week: int = Field(ge=1)
    min_new_labels: int = Field(ge=0)
    answered_by_training: tuple[str, ...]
    mended_within_days: float = Field(ge=0)

    @model_validator(mode="after")
    def _can_fire(self) -> "RetrainParams":
        if self.violations > self.windows:
            raise ValueError(f"violations: must be at most windows = {self.windows}, is {self.violations}")
        return self


@dataclass(frozen=True)
class Reason:
    """One reason for a new model, or against training one now.

    Attributes:
        code: Short name, e.g. ``quality``.
        is_met: Whether it holds.
        text: Values and limits in words.
        evidence: What it rests on; the same evidence asks for the same training.
    """

    code: str
    is_met: bool
    text: str
    evidence: str = ""


@dataclass(frozen=True)
class RetrainDecision:
    """What follows, with every reason.

    Attributes:
        model_version: The champion.
        reasons: What could ask for a new model, in the order in which it was looked at.
        holds: What could hold the training back, likewise.
        request_key: Names the training that is asked for; None: none is.
        trained: Newest training's row in ``ops.promotion_ledger``; 0: none.
    """

    model_version: str
    reasons: tuple[Reason, ...]
    holds: tuple[Reason, ...]
    request_key: str | None
    trained: int

    @property
    def outcome(self) -> Outcome:
        """``none`` without a reason; ``held_back`` while anything holds the training back; else ``requested``."""
        if not met(self.reasons):
            return "none"
        return "held_back" if met(self.holds) else "requested"

    @property
    def held_back_by(self) -> tuple[str, ...]:
        """Codes of what holds the training back; nothing is held back that nobody asks for."""
        return codes(self.holds) if self.outcome == "held_back" else ()

    @property
    def wanted(self) -> str:
        """Why a new model is due, in words."""
        return "; ".join(reason.text for reason in met(self.reasons))

    @property
    def next_step(self) -> str:
        """What happens now, in words."""
        held = "; ".join(hold.text for hold in met(self.holds))
        return f"held back: {held}" if held else "`kedro retrain` trains it"

    @property
    def explanation(self) -> tuple[str, ...]:
        """Every reason with its outcome, those that hold first; nothing speaks against what nobody asks for."""
        asked = [(reason, "asks for a new model", "does not ask") for reason in self.reasons]
        held = [(hold, "holds back", "does not hold back") for hold in self.holds if met(self.reasons)]
        ordered = sorted([*asked, *held], key=lambda entry: not entry[0].is_met)
        return tuple(
            f"{entry.code} {yes if entry.is_met else no}: {entry.text}" for entry, yes, no in ordered
        )


def met(reasons: Sequence[Reason]) -> list[Reason]:
    """Those that hold."""
    return [reason for reason in reasons if reason.is_met]


def codes(reasons: Sequence[Reason]) -> tuple[str, ...]:
    """Codes of those that hold."""
    return tuple(reason.code for reason in met(reasons))


def decide_retrain(situation: Situation, params: RetrainParams) -> RetrainDecision:
    """Ask for a training when quality, age or schedule do, and nothing speaks against it; the same in, the same out.

    A request stays open under its key until a training answers it or nothing asks for it any more; meanwhile only the
    data can hold it back. While the data is broken no quality rule can be trusted, and no model should learn from it.

    Args:
        situation: See :func:`take_situation`.
        params: Limits.
    """
    reasons = (_quality(situation, params), _age(situation, params), _schedule(situation, params))
    asked, key = open_request(situation.decisions, situation.trainings), request_key(situation, reasons)
    holds = [_data(situation, params)]
    if asked is not None and asked.model_version == situation.champion:
        key = asked.request_key if key is not None else None
    else:
        holds += [_cooldown(situation, params), _cap(situation, params, key), _labels(situation, params)]
        holds += [_answered(situation, key)]
    return RetrainDecision(situation.champion, reasons, tuple(holds), key, situation.trained_row)


def request_key(situation: Situation, reasons: Sequence[Reason]) -> str | None:
    """SHA-256 over champion and evidence of the reasons that hold; None: none does."""
    asking = [(reason.code, reason.evidence) for reason in met(reasons)]
    if not asking:
        return None
    return hashlib.sha256(json.dumps([situation.champion, asking]).encode()).hexdigest()


def open_request(decisions: Sequence[Decided], trainings: Sequence[Training]) -> Decided | None:
    """The request that waits for its training: the newest decision is one, and no training was decided on since."""
    newest = decisions[-1] if decisions else None
    if newest is None or newest.outcome != "requested" or newest.is_answered(trainings):
        return None
    return newest


def _quality(situation: Situation, params: RetrainParams) -> Reason:
    newest = situation.windows[-params.windows :]
    broken = [window for window in newest if window.is_violation]
    if not newest:
        return Reason("quality", False, "no complete window yet")
    is_newest = newest[-1].is_violation
    text = (
        f"{len(broken)} of the last {len(newest)} complete windows break quality rules, the newest "
        f"{'does' if is_newest else 'does not'} (due from {params.violations} of {params.windows} with the newest)"
    )
    evidence = ", ".join(f"{window.start}" for window in broken)
    return Reason("quality", is_newest and len(broken) >= params.violations, text, evidence)


def _age(situation: Situation, params: RetrainParams) -> Reason:
    champion, since = situation.champion, situation.promoted_at
    # With the last training: a model that was trained and refused leaves the old one in use, and asks anew.
    evidence = f"promoted {since}, trained in row {situation.trained_row}"
    if since is None:
        text = f"champion {champion} stands in no row of ops.promotion_ledger, so its age is unknown"
        return Reason("age", True, text, evidence)
    age = (situation.as_of - since) / DAY
    text = f"champion {champion} was promoted {age:.0f} days ago (due after {params.max_age_days:g})"
    return Reason("age", age > params.max_age_days, text, evidence)


def _schedule(situation: Situation, params: RetrainParams) -> Reason:
    if params.schedule_days is None:
        return Reason("schedule", False, "there is none")
    if situation.trained is None:
        return Reason("schedule", True, "no training on record", "never")
    since = (situation.as_of - situation.trained.as_of) / DAY
    text = f"the last training was {since:.0f} days ago (due after {params.schedule_days:g})"
    return Reason("schedule", since >= params.schedule_days, text, f"trained in row {situation.trained_row}")


def _data(situation: Situation, params: RetrainParams) -> Reason:
    stays = situation.as_of - timedelta(days=params.mended_within_days)
    answered = [
        a for a in situation.data_alerts if a.rule in params.answered_by_training and a.since <= stays
    ]
    alerts = [alert for alert in situation.data_alerts if alert not in answered]
    if alerts:
        return Reason("data_alert", True, f"{_named(alerts)}: bad data is no drift")
    if answered:
        text = f"{_named(answered)}: open for {params.mended_within_days:g} days, only a training ends it"
        return Reason("data_alert", False, text)
    return Reason("data_alert", False, "no alert about the data is open")


def _named(alerts: Sequence[DataAlert]) -> str:
    return ", ".join(f"{alert.rule} {alert.subject}" for alert in alerts)


def _cooldown(situation: Situation, params: RetrainParams) -> Reason:
    if situation.trained is None:
        return Reason("cooldown", False, "no training on record")
    since = (situation.as_of - situation.trained.as_of) / DAY
    text = f"the last training was {since:.1f} days ago (at least {params.cooldown_days:g})"
    return Reason("cooldown", since < params.cooldown_days, text)


def _cap(situation: Situation, params: RetrainParams, key: str | None) -> Reason:
    asked = {
        decided.request_key
        for decided in situation.decisions
        if decided.outcome == "requested" and decided.as_of > situation.as_of - WEEK
    }
    others = len(asked - {key})
    text = f"{others} other requests in the last seven days (at most {params.max_per_week} with this one)"
    return Reason("weekly_cap", others >= params.max_per_week, text)


def _labels(situation: Situation, params: RetrainParams) -> Reason:
    text = f"{situation.new_labels:,} new labels since the last training (at least {params.min_new_labels:,})"
    return Reason("few_labels", situation.new_labels < params.min_new_labels, text)


def _answered(situation: Situation, key: str | None) -> Reason:
    asked = [d for d in situation.decisions if (d.outcome, d.request_key) == ("requested", key)]
    answered = any(decided.is_answered(situation.trainings) for decided in asked)
    text = (
        "this very evidence was answered by a training" if answered else "no training answered this evidence"
    )
    return Reason("answered", answered, text)

"""The model card: what a person must know about a version before relying on it."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.pipelines.promotion.evidence import Candidate, Measurement, Trained
from lakehouse_ml.use_case import UseCase

UNDEFINED = "not defined"

Text = Annotated[str, Field(min_length=1)]
Line = tuple[str, ...]
Lines = Annotated[tuple[Line, ...], Field(min_length=1)]


class ModelCard(BaseModel):
    """A card that lacks nothing; days are UTC days of the prediction, ends exclusive.

    Attributes:
        name: Registered model's name.
        role: ``baseline`` or ``challenger``.
        owner: Who answers for it.
        identity: What tells it from all others, by fact.
        train_start: First training day.
        train_end: Day after the last training day.
        holdout_start: First judged day.
        holdout_end: Day after the last judged day.
        input_versions: Delta version of each table that it was trained on.
        judged_versions: Delta version of each table that a copy was judged on here; empty: it is no copy.
        metrics: (model, metric, value with its interval) over the whole holdout.
        slices: (slice, metric, value with its interval, rows).
        limits: What it must not be relied on for.
        rules: (rule, verdict, value, limit, found) of each promotion rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text
    role: Text
    owner: Text
    identity: dict[str, Text]
    train_start: date
    train_end: date
    holdout_start: date
    holdout_end: date
    input_versions: Annotated[dict[str, int], Field(min_length=1)]
    judged_versions: dict[str, int] = {}
    metrics: Lines
    slices: Lines
    limits: Annotated[tuple[Text, ...], Field(min_length=1)]
    rules: Lines

    @model_validator(mode="after")
    def _is_judged_after_training(self) -> Self:
        if not self.train_start < self.train_end <= self.holdout_start < self.holdout_end:
            raise ValueError("a model is judged after the days that it was trained on")
        return self

    @property
    def markdown(self) -> str:
        """The card for people."""
        windows = (
            f"Trained on {self.train_start} to {self.train_end}, judged on {self.holdout_start} to "
            f"{self.holdout_end} (days of the prediction, UTC, ends exclusive)."
        )
        identity = {"Role": self.role, "Owner": self.owner, **self.identity}
        sections = {
            "Identity": _table(("fact", "value"), identity.items()),
            "Data": f"{windows}\n\n{self._tables}",
            "Quality on the holdout": _table(
                ("model", "metric", "value [95 % day-block interval]"), self.metrics
            ),
            "Slices": _table(("slice", "metric", "value [interval]", "rows"), self.slices),
            "Limits": "\n".join(f"- {limit}" for limit in self.limits),
            "Rules": _table(("rule", "verdict", "value", "limit", "found"), self.rules),
        }
        body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
        return f"# {self.name}: {self.role} of run {self.identity['Run']}\n\n{body}\n"

    @property
    def _tables(self) -> str:
        trained = _table(("table", "Delta version"), sorted(self.input_versions.items()))
        if not self.judged_versions:
            return trained
        judged = _table(("table", "Delta version"), sorted(self.judged_versions.items()))
        return f"Trained on, where it was copied from:\n\n{trained}\n\nJudged on, here:\n\n{judged}"


def write_model_card(decision: Decision, use_case: UseCase) -> str:
    """Markdown card of the version that the decision makes; empty when it makes none.

    Raises:
        pydantic.ValidationError: A part of the card is missing.
    """
    return model_card(decision, use_case).markdown if decision.is_passed else ""


def model_card(decision: Decision, use_case: UseCase) -> ModelCard:
    """The card of the elected model.

    Raises:
        pydantic.ValidationError: A part of the card is missing.
    """
    trained = decision.evidence.trained
    role = str(decision.elected)
    return ModelCard(
        name=use_case.model_name,
        role=role,
        owner=use_case.owners["model"],
        identity=_identity(decision, trained.models[role], use_case),
        train_start=trained.train_start,
        train_end=trained.train_end,
        holdout_start=trained.holdout_start,
        holdout_end=trained.holdout_end,
        input_versions=trained.input_versions,
        judged_versions=trained.judged_versions or {},
        metrics=_quality(decision),
        slices=_slices(decision),
        limits=_limits(trained, trained.models[role]),
        rules=_rules(decision),
    )


def _identity(decision: Decision, model: Candidate, use_case: UseCase) -> dict[str, str]:
    trained = decision.evidence.trained
    copied = {"Copied from": trained.copied_from} if trained.copied_from else {}
    return {
        "Use case": use_case.name,
        "Decision": decision.outcome,
        "Run": trained.run_id,
        "As of": f"{trained.as_of:%Y-%m-%d %H:%M} UTC",
        "Digest": model.digest,
        "Evidence": decision.evidence_hash,
        "MLflow run": trained.mlflow_run_id,
        "Git commit": trained.git_commit,
        "Pins": trained.pins_hash,
        "Seed": str(trained.seed),
        "Decision threshold": f"{model.threshold:.4f}",
        "Hyper-parameters": ", ".join(f"{name} {value}" for name, value in sorted(model.params.items()))
        or "none",
        "Boosting rounds": str(model.rounds or "none"),
        **copied,
    }


def _quality(decision: Decision) -> tuple[Line, ...]:
    overall = sorted(decision.evidence.overall, key=lambda m: (m.compared_to, m.role, m.metric))
    return tuple((_compared(m), m.metric, _interval(m)) for m in overall)


def _slices(decision: Decision) -> tuple[Line, ...]:
    evidence = decision.evidence
    own = [m for m in evidence.measurements if (m.role, m.compared_to) == (decision.elected, "")]
    own = [m for m in own if evidence.concerns(m) and not m.is_overall]
    own.sort(key=lambda m: (m.slice, m.slice_value, m.metric))
    return tuple((f"{m.slice} {m.slice_value}", m.metric, _interval(m), str(m.rows)) for m in own)


def _limits(trained: Trained, model: Candidate) -> tuple[str, ...]:
    return (
        f"Knows only what {trained.train_start} to {trained.train_end} held; other seasons are a guess.",
        f"The score is a probability at a base rate near {model.base_rate:.3f}; at another it is off.",
        f"The decision at {model.threshold:.4f} is optimal for the use case's costs only.",
        *model.warnings,
    )


def _rules(decision: Decision) -> tuple[Line, ...]:
    return tuple(
        (
            verdict.rule,
            "passed" if verdict.passed else "FAILED",
            "" if verdict.value is None else f"{verdict.value:g}",
            verdict.limit or "",
            verdict.reason,
        )
        for verdict in (decision.election, *decision.verdicts)
    )


def _compared(measured: Measurement) -> str:
    return f"{measured.role} minus {measured.compared_to}" if measured.compared_to else measured.role


def _interval(measured: Measurement) -> str:
    if measured.value is None or measured.low is None or measured.high is None:
        return UNDEFINED
    return f"{measured.value:.4f} [{measured.low:.4f}, {measured.high:.4f}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)

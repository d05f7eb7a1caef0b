"""The model card: what a person must know about a version before relying on it."""

from collections.abc import Iterable, Sequence

from lakehouse_ml.pipelines.promotion.decide import Decision
from lakehouse_ml.pipelines.promotion.evidence import Evidence, Measurement
from lakehouse_ml.use_case import UseCase

UNDEFINED = "not defined"


def write_model_card(decision: Decision, use_case: UseCase) -> str:
    """Markdown card of the elected model; empty when none is elected."""
    if decision.elected is None:
        return ""
    sections = {
        "Identity": _identity(decision, use_case),
        "Data": _data(decision.evidence),
        "Quality on the holdout": _quality(decision),
        "Slices": _slices(decision),
        "Limits": _limits(decision),
        "Rules": _rules(decision),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return (
        f"# {use_case.model_name}: {decision.elected} of run {decision.evidence.trained.run_id}\n\n{body}\n"
    )


def _identity(decision: Decision, use_case: UseCase) -> str:
    assert decision.elected is not None
    trained = decision.evidence.trained
    model = trained.models[decision.elected]
    facts = {
        "Use case": use_case.name,
        "Role": decision.elected,
        "Owner": use_case.owners["model"],
        "Decision": decision.outcome,
        "Digest": model.digest,
        "Evidence": decision.evidence_hash,
        "MLflow run": trained.mlflow_run_id,
        "Git commit": trained.git_commit,
        "Decision threshold": f"{model.threshold:.4f}",
        "Hyper-parameters": ", ".join(f"{name} {value}" for name, value in sorted(model.params.items())),
        "Boosting rounds": model.rounds if model.rounds is not None else "none",
    }
    return _table(("fact", "value"), facts.items())


def _data(evidence: Evidence) -> str:
    trained = evidence.trained
    windows = (
        f"Trained on {trained.train_start} to {trained.train_end}, judged on {trained.holdout_start} to "
        f"{trained.holdout_end} (days of the prediction, UTC, ends exclusive), as of "
        f"{trained.as_of:%Y-%m-%d %H:%M} UTC."
    )
    return f"{windows}\n\n{_table(('table', 'Delta version'), sorted(trained.input_versions.items()))}"


def _quality(decision: Decision) -> str:
    overall = sorted(decision.evidence.overall, key=lambda m: (m.compared_to, m.role, m.metric))
    rows = [(_compared(m), m.metric, _interval(m)) for m in overall]
    return _table(("model", "metric", "value [95 % day-block interval]"), rows)


def _slices(decision: Decision) -> str:
    evidence = decision.evidence
    own = [m for m in evidence.measurements if (m.role, m.compared_to) == (decision.elected, "")]
    own = [m for m in own if evidence.concerns(m) and not m.is_overall]
    own.sort(key=lambda m: (m.slice, m.slice_value, m.metric))
    rows = [(f"{m.slice} {m.slice_value}", m.metric, _interval(m), m.rows) for m in own]
    return _table(("slice", "metric", "value [interval]", "rows"), rows)


def _limits(decision: Decision) -> str:
    assert decision.elected is not None
    trained = decision.evidence.trained
    model = trained.models[decision.elected]
    limits = [
        f"Knows only what {trained.train_start} to {trained.train_end} held; other seasons are a guess.",
        f"The score is a probability at a base rate near {model.base_rate:.3f}; at another it is off.",
        f"The decision at {model.threshold:.4f} is optimal for the use case's costs only.",
        *model.warnings,
    ]
    return "\n".join(f"- {limit}" for limit in limits)


def _rules(decision: Decision) -> str:
    rows = [
        (
            v.rule,
            "passed" if v.passed else "FAILED",
            "" if v.value is None else f"{v.value:g}",
            v.limit,
            v.reason,
        )
        for v in (decision.election, *decision.verdicts)
    ]
    return _table(("rule", "verdict", "value", "limit", "found"), rows)


def _compared(measured: Measurement) -> str:
    return f"{measured.role} minus {measured.compared_to}" if measured.compared_to else measured.role


def _interval(measured: Measurement) -> str:
    if measured.value is None or measured.low is None or measured.high is None:
        return UNDEFINED
    return f"{measured.value:.4f} [{measured.low:.4f}, {measured.high:.4f}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |" for line in lines
    )

"""The short account of a run: what the terminal shows at its end."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.frames import number, rows_of
from lakehouse_ml.pipelines.monitoring.headline import Standing
from lakehouse_ml.pipelines.monitoring.params import Params
from lakehouse_ml.pipelines.monitoring.retrain import met

# How a rule that was kept begins among a decision's reasons.
_PASSED = "passed "
_MOST_ALERTS = 8
_STYLES = {"critical": "bold red", "warning": "yellow"}
_RETRAIN = {"none": "no", "requested": "requested, `kedro retrain` trains it", "held_back": "held back"}
_ENDS = ("value", "low", "high")
_SHOWN = {"roc_auc": "AUC", "average_precision": "AP", "brier_loss": "Brier"}

Summary = Mapping[str, Any]


class LookFurther(Params):
    """Where to look next: what one finds there, and the command or path; ``{next_week}`` is the day a week on."""

    what: str
    where: str


class SummaryParams(Params):
    """What the account ends with.

    Attributes:
        look_further: Commands and paths, in order.
    """

    look_further: tuple[LookFurther, ...] = Field(min_length=1)


def count_rows(
    run: Run, files: pd.DataFrame, predictions: DataFrame, *gold: DataFrame, tables: Sequence[str]
) -> dict[str, int]:
    """Rows by layer and table: landed lines as the ingestion log has them, gold by Delta's statistics.

    Args:
        run: Whose predictions count as ``scored``; the files of other runs are skipped by their statistics.
        files: ``file_history``.
        predictions: ``ml_predictions``.
        *gold: Gold tables.
        tables: Their names.
    """
    landed = {
        "bronze": "lines",
        "silver": "accepted",
        "duplicates": "duplicates",
        "quarantine": "quarantined",
    }
    return {
        **{layer: int(files[column].sum()) for layer, column in landed.items()},
        **{f"gold {table}": frame.count() for table, frame in zip(tables, gold, strict=True)},
        "scored": predictions.where(F.col("run_id") == run.run_id).count(),
    }


def newest_evaluation(evaluations: DataFrame) -> pd.DataFrame:
    """Metrics with intervals of every role in the newest evaluation: role, metric, value, low, high.

    Args:
        evaluations: ``ml_evaluations``.
    """
    whole = (F.col("compared_to") == "") & (F.col("slice") == "all")
    shown = evaluations.where(whole & F.col("metric").isin(*_SHOWN))
    # All of them, nine rows for each: the newest is not known before they are read, and each query takes its time.
    rows = shown.select("as_of", "run_id", "role", "metric", *_ENDS).toPandas()
    newest = rows.sort_values(["as_of", "run_id"])["run_id"].tail(1)
    wanted = rows[rows["run_id"].isin(newest)].sort_values(["role", "metric"], ignore_index=True)
    return wanted.drop(columns=["as_of", "run_id"])


def summarise(
    standing: Standing,
    rows: Mapping[str, int],
    evaluation: pd.DataFrame,
    ledger: pd.DataFrame,
    run: Run,
    params: SummaryParams,
) -> Summary:
    """The account as plain JSON values.

    Args:
        standing: Where things stand.
        rows: See :func:`count_rows`.
        evaluation: See :func:`newest_evaluation`.
        ledger: ``ledger_history``, newest first.
        run: The run.
        params: What it ends with.
    """
    return {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "rows": {name: count for name, count in rows.items() if name != "scored"},
        "quarantined": rows["quarantine"],
        "scored": rows["scored"],
        "models": _models(evaluation),
        "decision": _decision(ledger),
        "champion": standing.champion.version,
        "alerts": standing.warnings[["severity", "rule", "subject", "reason", "owner"]].to_dict("records"),
        "retrain": {
            "outcome": standing.decision.outcome,
            "request_key": standing.decision.request_key,
            "held_back_by": standing.decision.held_back_by,
            "reasons": [reason.text for reason in standing.decision.reasons],
            "holds": [hold.text for hold in met(standing.decision.holds)],
        },
        "look_further": [_at(entry, run.as_of) for entry in params.look_further],
    }


def _at(entry: LookFurther, as_of: datetime) -> dict[str, str]:
    next_week = f"{as_of + timedelta(days=7):%Y-%m-%d}"
    return {"what": entry.what, "where": entry.where.replace("{next_week}", next_week)}


def _models(evaluation: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    models: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows_of(evaluation):
        models.setdefault(row.role, {})[row.metric] = {end: number(getattr(row, end)) for end in _ENDS}
    return models


def _decision(ledger: pd.DataFrame) -> dict[str, Any] | None:
    decided = ledger[ledger["event"] == "decided"]
    if decided.empty:
        return None
    newest = decided.iloc[0]
    return {
        "decision": newest["decision"],
        "as_of": f"{newest['as_of']:%Y-%m-%d %H:%M}",
        "elected": newest["elected"],
        "champion": ledger.iloc[0]["champion_after"],
        "reasons": [reason for reason in newest["reasons"] if not reason.startswith(_PASSED)],
        "odd": _odd(newest["models"]),
        "passed": [r.removeprefix(_PASSED).split(":")[0] for r in newest["reasons"] if r.startswith(_PASSED)],
    }


def _odd(models: str | None) -> list[str]:
    """What training found odd about the models that were judged, e.g. ``baseline: C on its bound 1``."""
    if models is None:
        # A roll-back judges no training.
        return []
    return [f"{role}: {odd}" for role, model in json.loads(models).items() for odd in model["warnings"]]


def render_summary(summary: Summary) -> RenderableType:
    """The account for a terminal: rows, models, decision, alerts, and where to look further.

    Args:
        summary: See :func:`summarise`.
    """
    parts = (_heading, _row_table, _model_table, _said, _look_further)
    return Group(*(part(summary) for part in parts))


def _heading(summary: Summary) -> Text:
    return Text(
        f"As of {summary['as_of'][:16].replace('T', ' ')} UTC, run {summary['run_id']}\n", style="bold"
    )


def _plain_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    return table


def _row_table(summary: Summary) -> Table:
    table = _plain_table("Rows", "layer", "rows")
    for layer, count in {**summary["rows"], "scored by this run": summary["scored"]}.items():
        table.add_row(layer, f"{count:,}")
    return table


def _model_table(summary: Summary) -> Table:
    table = _plain_table("Newest evaluation on the holdout, with 95 % intervals", "model", *_SHOWN.values())
    for role, metrics in summary["models"].items():
        table.add_row(role, *(_interval(metrics.get(metric)) for metric in _SHOWN))
    return table


def _interval(found: Mapping[str, float | None] | None) -> str:
    if found is None or found["value"] is None:
        return "not defined"
    low, high = (f"{end:.3f}" if end is not None else "?" for end in (found["low"], found["high"]))
    return f"{found['value']:.3f} [{low}, {high}]"


def _said(summary: Summary) -> Text:
    decision, text = summary["decision"], Text()
    if decision is not None:
        text.append(f"Promotion: {decision['decision']}", style="bold")
        text.append(f", elected {decision['elected'] or 'none'}, as of {decision['as_of']} UTC\n")
        text.append("".join(f"  {reason}\n" for reason in decision["reasons"]))
        text.append("".join(f"  odd in training: {odd}\n" for odd in decision["odd"]))
        text.append(f"  {len(decision['passed'])} rules passed: {', '.join(decision['passed'])}\n")
    text.append(f"Champion: version {summary['champion']}\n", style="bold")
    text.append(f"Retrain: {_RETRAIN[summary['retrain']['outcome']]}\n", style="bold")
    text.append("".join(f"  {reason}\n" for reason in summary["retrain"]["reasons"]))
    if summary["retrain"]["outcome"] == "held_back":
        text.append("".join(f"  held back: {hold}\n" for hold in summary["retrain"]["holds"]))
    text.append(f"Open alerts: {len(summary['alerts'])}\n", style="bold")
    for alert in summary["alerts"][:_MOST_ALERTS]:
        text.append(f"  {alert['severity']}", style=_STYLES[alert["severity"]])
        text.append(f" {alert['rule']} {alert['subject']}: {alert['reason']} ({alert['owner']})\n")
    if len(summary["alerts"]) > _MOST_ALERTS:
        text.append(f"  and {len(summary['alerts']) - _MOST_ALERTS} more on the page\n")
    return text


def _look_further(summary: Summary) -> Text:
    # Left to the terminal to break, so that a command can be copied whole.
    text = Text("Look further\n", style="bold", no_wrap=True, overflow="ignore")
    for entry in summary["look_further"]:
        text.append(f"  {entry['what']:<20} ", style="not bold").append(
            f"{entry['where']}\n", style="not bold cyan"
        )
    return text

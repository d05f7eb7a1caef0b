"""The page's tables: alerts, sources, decisions, stages."""

from collections.abc import Iterator

import pandas as pd

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.frames import naive, rows_of
from lakehouse_ml.pipelines.monitoring.headline import Standing
from lakehouse_ml.pipelines.monitoring.landed import DataParams, source_ages
from lakehouse_ml.pipelines.monitoring.page import Column, Html, State, folded, pill, table
from lakehouse_ml.pipelines.monitoring.retrain import RetrainDecision

Tables = dict[str, Html]

# More findings of one rule than this fold into one row.
_MOST_ROWS = 3
_STATES: dict[str, State] = {"critical": "critical", "warning": "warning", "info": "info"}


def report_tables(
    standing: Standing,
    files: pd.DataFrame,
    ledger: pd.DataFrame,
    stages: pd.DataFrame,
    run: Run,
    params: DataParams,
) -> Tables:
    """Markup of every table by the name of its place on the page.

    Args:
        standing: Open alerts, and whether to retrain.
        files: ``file_history``.
        ledger: ``ledger_history``.
        stages: ``stage_history``.
        run: Its now tells how old data is.
        params: Limits of the sources.
    """
    return {
        "alerts": _alert_table(standing.alerts),
        "retrain": _retrain_table(standing.decision),
        "sources": _source_table(files, run, params),
        "ledger": _ledger_table(ledger),
        "stage_table": _stage_table(stages),
    }


def _alert_table(alerts: pd.DataFrame) -> Html:
    columns = (
        Column("Severity"), Column("Rule", "nowrap"), Column("Subject"), Column("What was found"),
        Column("Since", "nowrap"), Column("Owner"),
    )  # fmt: skip
    groups = alerts.groupby(["severity", "rule", "owner"], sort=False)
    rows = (row for _, group in groups for row in _alert_rows(group))
    return table(columns, rows, empty="Nothing is open.", style="cards")


def _alert_rows(group: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """The findings of one rule; many stand folded in one row."""
    first = group.iloc[0]
    if len(group) > _MOST_ROWS:
        listed = folded(f"{len(group)} findings", group["subject"] + ": " + group["reason"])
        yield (
            pill(first["severity"], _STATES[first["severity"]]),
            first["rule"],
            "several",
            listed,
            f"{group['opened_at'].min():%Y-%m-%d}",
            first["owner"],
        )
        return
    for row in rows_of(group):
        since = f"{row.opened_at:%Y-%m-%d}"
        yield (pill(row.severity, _STATES[row.severity]), row.rule, row.subject, row.reason, since, row.owner)


def _retrain_table(decision: RetrainDecision) -> Html:
    columns = (Column("Reason", "nowrap"), Column("State", "nowrap"), Column("Values and limits"))
    asked = [(reason, "asks for a new model", "quiet") for reason in decision.reasons]
    held = [(hold, "holds back", "lets pass") for hold in decision.holds]
    rows = (
        (
            reason.code.replace("_", " "),
            pill(yes if reason.is_met else no, "warning" if reason.is_met else "ok"),
            reason.text,
        )
        for reason, yes, no in [*asked, *held]
    )
    return table(columns, rows, empty="")


def _source_table(files: pd.DataFrame, run: Run, params: DataParams) -> Html:
    columns = (
        Column("Source"), Column("Newest data", "nowrap"), Column("State"),
        *(Column(name, "right") for name in ("Files", "Lines", "Accepted", "Duplicates", "Quarantined")),
    )  # fmt: skip
    return table(columns, _source_rows(files, run, params), empty="No file has landed.")


def _source_rows(files: pd.DataFrame, run: Run, params: DataParams) -> Iterator[tuple[object, ...]]:
    ages = source_ages(files, naive(run.as_of))
    counted = ["files", "lines", "accepted", "duplicates", "quarantined"]
    for source, days in files.groupby("source"):
        totals = [f"{int(days[name].sum()):,}" for name in counted]
        newest = days["newest"].max()
        said = "none" if pd.isna(newest) else f"until {newest:%Y-%m-%d %H:%M}"
        yield (source, said, _age_pill(ages[str(source)], params.max_hours.get(str(source))), *totals)


def _age_pill(hours: float, limit: float | None) -> Html:
    if limit is None:
        return pill("no fixed time", "info")
    if hours <= limit:
        return pill("fresh", "ok")
    return pill("no data" if pd.isna(hours) else f"{hours:.0f} h old, at most {limit:g}", "critical")


def _ledger_table(ledger: pd.DataFrame) -> Html:
    columns = (
        Column("No.", "right"), Column("As of", "nowrap"), Column("Event"), Column("Decision"), Column("By"),
        Column("Elected"), Column("Champion", "nowrap"), Column("Reasons"),
    )  # fmt: skip
    rows = (
        (
            row.sequence,
            f"{row.as_of:%Y-%m-%d %H:%M}",
            row.event,
            pill(row.decision.replace("_", " "), "ok" if row.decision == "promoted" else "warning"),
            row.actor,
            row.elected or "none",
            _move(row.champion_before, row.champion_after),
            folded(f"reasons ({len(row.reasons)})", row.reasons),
        )
        for row in rows_of(ledger)
    )
    return table(columns, rows, empty="No decision has been made yet.", style="cards")


def _move(before: str | None, after: str | None) -> str:
    if before == after:
        return f"stays {after}" if after else "none"
    return f"{before or 'none'} → {after or 'none'}"


def _stage_table(stages: pd.DataFrame) -> Html:
    columns = (
        Column("Stage"),
        *(Column(name, "right") for name in ("Newest run", "Commits", "Median of all", "Runs")),
    )
    return table(columns, _stage_rows(stages), empty="")


def _stage_rows(stages: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for stage, runs in stages.groupby("stage", sort=False):
        newest = runs.sort_values("started").iloc[-1]
        took, commits = f"{newest['duration_s']:.1f} s", f"{newest['commits']:.0f}"
        yield (stage, took, commits, f"{runs['duration_s'].median():.1f} s", len(runs))

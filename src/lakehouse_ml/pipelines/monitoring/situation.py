"""What the retrain controller knows when it decides, as plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.findings import Finding, found_alerts
from lakehouse_ml.pipelines.monitoring.frames import rows_of
from lakehouse_ml.pipelines.monitoring.lifecycle import open_alerts

Outcome = Literal["none", "held_back", "requested"]
# Rows of a table that are read: years of trainings, and months of decisions that change every day.
_NEWEST = 500
_ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Training:
    """A training that was decided on: row of ``ops.promotion_ledger``, and the now (UTC) of its run."""

    sequence: int
    as_of: datetime


@dataclass(frozen=True)
class Decided:
    """A row of ``ops.retrain_decisions``; see its contract for the columns."""

    sequence: int
    outcome: Outcome
    request_key: str | None
    model_version: str
    reasons: tuple[str, ...]
    held_back_by: tuple[str, ...]
    explanation: tuple[str, ...]
    trained: int
    as_of: datetime

    def is_answered(self, trainings: Sequence[Training]) -> bool:
        """Whether a training was decided on since."""
        return any(training.sequence > self.trained for training in trainings)


@dataclass(frozen=True)
class Past:
    """Trainings and decisions so far, oldest first, and how many truths became known after the last training."""

    trainings: tuple[Training, ...] = ()
    decisions: tuple[Decided, ...] = ()
    new_labels: int = 0


@dataclass(frozen=True)
class QualityWindow:
    """A complete window of the champion."""

    start: date
    is_violation: bool


@dataclass(frozen=True)
class DataAlert:
    """Something that is wrong with the data, and since when (UTC) it is found."""

    rule: str
    subject: str
    since: datetime


@dataclass(frozen=True)
class Situation:
    """All that counts. Moments are UTC.

    Attributes:
        champion: Version of the model in use.
        as_of: The run's now.
        promoted_at: When the alias first named it; None: the ledger does not know.
        windows: Its complete windows, oldest first.
        trainings: Trainings so far, oldest first.
        new_labels: Entities whose truth became known after the newest training.
        data_alerts: What is wrong with the data now.
        decisions: Former decisions, oldest first.
    """

    champion: str
    as_of: datetime
    promoted_at: datetime | None
    windows: tuple[QualityWindow, ...]
    trainings: tuple[Training, ...]
    new_labels: int
    data_alerts: tuple[DataAlert, ...] = ()
    decisions: tuple[Decided, ...] = ()

    @property
    def trained(self) -> Training | None:
        """The newest training."""
        return self.trainings[-1] if self.trainings else None

    @property
    def trained_row(self) -> int:
        """Its row in the ledger; 0: none."""
        return self.trained.sequence if self.trained else 0


def trainings_of(ledger: Iterable[Any]) -> tuple[Training, ...]:
    """Trainings that ended in a decision, for or against their model, oldest first.

    Args:
        ledger: Rows of ``ops.promotion_ledger``: sequence, event, decision, as_of (with zone).
    """
    decided = [row for row in ledger if row.event == "decided" and row.decision != _ROLLED_BACK]
    return tuple(sorted((Training(row.sequence, row.as_of) for row in decided), key=lambda t: t.sequence))


def read_past(
    ledger: DataFrame, before: DataFrame, labels: DataFrame, champion: Watched, run: Run, *, label: str
) -> Past:
    """What was trained and decided so far, and what can be learned since.

    Args:
        ledger: ``ops_promotion_ledger``.
        before: ``ops.retrain_decisions`` before this run.
        labels: ``gold_labels``.
        champion: The model in use.
        run: What is known by its now counts.
        label: Name of the label column; null: there will never be a truth.
    """
    rows = ledger.where("event = 'decided'").orderBy(F.desc("sequence")).limit(_NEWEST)
    trainings = trainings_of(rows_of(_read(rows.select("sequence", "event", "decision", "as_of"))))
    since = trainings[-1].as_of if trainings else champion.trained_until
    known_at = F.col("label_known_at")
    new = labels.where((known_at > F.lit(since)) & (known_at <= F.lit(run.as_of)) & F.col(label).isNotNull())
    return Past(trainings, read_decisions(before), int(new.select("key").distinct().count()))


def read_decisions(table: DataFrame) -> tuple[Decided, ...]:
    """The newest rows of ``ops.retrain_decisions``, oldest first."""
    rows = _read(table.drop("run_id").orderBy(F.desc("sequence")).limit(_NEWEST))
    listed = ("reasons", "held_back_by", "explanation")
    found = (row._asdict() for row in rows_of(rows.sort_values("sequence")))
    return tuple(Decided(**{**row, **{name: tuple(row[name]) for name in listed}}) for row in found)


def _read(rows: DataFrame) -> pd.DataFrame:
    found = rows.toPandas()
    # As objects: a column of moments would give its own kind of them.
    moments = [moment.to_pydatetime() for moment in found["as_of"].dt.tz_localize(UTC)]
    return found.assign(as_of=pd.Series(moments, found.index, dtype="object"))


def take_situation(
    champion: Watched,
    run: Run,
    ledger: pd.DataFrame,
    quality: pd.DataFrame,
    past: Past,
    alerts: pd.DataFrame,
    *findings: list[Finding],
) -> Situation:
    """All that the controller rests on.

    Args:
        champion: The model in use.
        run: The run.
        ledger: ``ledger_history``: when the champion was promoted.
        quality: ``quality_history``: complete windows; the champion's own count.
        past: See :func:`read_past`.
        alerts: See :func:`lifecycle.open_before`: since when what is found is known.
        *findings: What rules found; what is wrong with the data counts.
    """
    mine = quality[quality["model_version"] == champion.version].sort_values("window_start")
    found = found_alerts(*([finding for finding in group if finding.about == "data"] for group in findings))
    known = open_alerts(found, alerts, run)
    return Situation(
        champion=champion.version,
        as_of=run.as_of,
        promoted_at=promoted_at(ledger, champion.version),
        windows=tuple(QualityWindow(row.window_start, bool(row.is_violation)) for row in rows_of(mine)),
        trainings=past.trainings,
        new_labels=past.new_labels,
        data_alerts=tuple(
            DataAlert(row.rule, row.subject, row.opened_at.tz_localize(UTC).to_pydatetime())
            for row in rows_of(known)
        ),
        decisions=past.decisions,
    )


def promoted_at(ledger: pd.DataFrame, version: str) -> datetime | None:
    """When the champion's alias first named the version (UTC); None: the ledger does not know it."""
    moves = ledger[(ledger["event"] == "moved") & (ledger["champion_after"] == version)]
    return None if moves.empty else moves["as_of"].min().tz_localize(UTC).to_pydatetime()

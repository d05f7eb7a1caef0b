"""The monitoring pipeline's table of contents."""

from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.monitoring import alerts
from lakehouse_ml.pipelines.monitoring.champion import watch_champion
from lakehouse_ml.pipelines.monitoring.drift import drift
from lakehouse_ml.pipelines.monitoring.drift_plot import plot_drift
from lakehouse_ml.pipelines.monitoring.findings import open_alerts, record_alerts
from lakehouse_ml.pipelines.monitoring.flow_plots import plot_data_flow, plot_stages
from lakehouse_ml.pipelines.monitoring.headline import take_standing
from lakehouse_ml.pipelines.monitoring.history import (
    recent_decisions,
    recent_drift,
    recent_files,
    recent_quality,
    recent_stages,
)
from lakehouse_ml.pipelines.monitoring.profile import profile
from lakehouse_ml.pipelines.monitoring.quality import measure_windows, resolve_predictions
from lakehouse_ml.pipelines.monitoring.quality_plot import plot_quality
from lakehouse_ml.pipelines.monitoring.report import report
from lakehouse_ml.pipelines.monitoring.retrain import decide_retrain
from lakehouse_ml.pipelines.monitoring.summary import count_rows, newest_evaluation, summarise
from lakehouse_ml.pipelines.monitoring.tables import report_tables
from lakehouse_ml.use_case import UseCase


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Predictions, labels and gold in; drift, quality, alerts, a retrain decision and one page out."""
    return Pipeline([*_measures(use_case), *_histories(), *_judgements(use_case), *_pages(use_case)])


def _bound(function: Any, **arguments: Any) -> Any:
    """The function with some arguments given, still under its name."""
    return update_wrapper(partial(function, **arguments), function)


def _measures(use_case: UseCase) -> list[Node]:
    return [
        Node(func=watch_champion, inputs="ml_champion", outputs="watched_champion", name="watch_champion"),
        Node(
            func=profile,
            inputs=[
                "gold_features",
                "watched_champion",
                "before_ops_profile_metrics",
                "run",
                "params:monitoring.windows",
                "params:monitoring.profile",
            ],
            outputs="ops_profile_metrics",
            name="profile",
        ),
        Node(
            func=drift,
            inputs=["ops_profile_metrics", "watched_champion", "before_ops_drift_metrics", "run"],
            outputs="ops_drift_metrics",
            name="drift",
        ),
        Node(
            func=_bound(resolve_predictions, label=use_case.labels.column),
            inputs=[
                "ml_predictions",
                "gold_labels",
                "before_ops_quality_windows",
                "run",
                "params:monitoring.windows",
            ],
            outputs="resolved_predictions",
            name="resolve_predictions",
        ),
        Node(
            func=_bound(measure_windows, costs=use_case.costs),
            inputs=[
                "resolved_predictions",
                "ml_evaluations",
                "run",
                "params:monitoring.quality",
                "params:random_seed",
            ],
            outputs="ops_quality_windows",
            name="quality_windows",
        ),
    ]


def _histories() -> list[Node]:
    params = "params:monitoring.history"
    return [
        Node(
            func=recent_quality,
            inputs=["ops_quality_windows", "run", params],
            outputs="quality_history",
            name="recent_quality",
        ),
        Node(
            func=recent_drift,
            inputs=["ops_drift_metrics", "watched_champion"],
            outputs="drift_history",
            name="recent_drift",
        ),
        Node(func=recent_files, inputs="ops_ingestion_log", outputs="file_history", name="recent_files"),
        Node(
            func=recent_decisions,
            inputs=["ops_promotion_ledger", params],
            outputs="ledger_history",
            name="recent_decisions",
        ),
        Node(
            func=recent_stages,
            inputs=["before_ops_event_log", params],
            outputs="stage_history",
            name="recent_stages",
        ),
    ]


def _judgements(use_case: UseCase) -> list[Node]:
    owners = use_case.owners
    sources = tuple(contract.name for contract in use_case.sources)
    return [
        Node(
            func=decide_retrain,
            inputs=[
                "quality_history",
                "ledger_history",
                "watched_champion",
                "run",
                "params:monitoring.retrain",
            ],
            outputs="retrain_decision",
            name="decide_retrain",
        ),
        Node(
            func=_bound(alerts.drift_alerts, owners=owners),
            inputs=["drift_history", "params:monitoring.drift"],
            outputs="drift_findings",
            name="drift_alerts",
        ),
        Node(
            func=_bound(alerts.quality_alerts, owners=owners),
            inputs=["quality_history", "watched_champion"],
            outputs="quality_findings",
            name="quality_alerts",
        ),
        Node(
            func=_bound(alerts.data_alerts, owners=owners, sources=sources),
            inputs=["file_history", "run", "params:monitoring.data"],
            outputs="data_findings",
            name="data_alerts",
        ),
        Node(
            func=_bound(alerts.retrain_alerts, owners=owners),
            inputs="retrain_decision",
            outputs="retrain_findings",
            name="retrain_alerts",
        ),
        Node(
            func=open_alerts,
            inputs=["run", "drift_findings", "quality_findings", "data_findings", "retrain_findings"],
            outputs="open_alerts",
            name="open_alerts",
        ),
        Node(
            func=record_alerts,
            inputs=["open_alerts", "before_ops_alerts"],
            outputs="ops_alerts",
            name="alerts",
        ),
    ]


def _pages(use_case: UseCase) -> list[Node]:
    gold = (use_case.entities, "features", "labels")
    plots = [
        "monitoring_quality_plot",
        "monitoring_drift_plot",
        "monitoring_flow_plot",
        "monitoring_stages_plot",
    ]
    return [
        Node(
            func=plot_quality,
            inputs=["quality_history", "params:monitoring.quality"],
            outputs="monitoring_quality_plot",
            name="plot_quality",
        ),
        Node(func=plot_drift, inputs="drift_history", outputs="monitoring_drift_plot", name="plot_drift"),
        Node(
            func=plot_data_flow,
            inputs=["file_history", "run", "params:monitoring.history"],
            outputs="monitoring_flow_plot",
            name="plot_data_flow",
        ),
        Node(func=plot_stages, inputs="stage_history", outputs="monitoring_stages_plot", name="plot_stages"),
        Node(
            func=take_standing,
            inputs=[
                "watched_champion",
                "quality_history",
                "file_history",
                "open_alerts",
                "retrain_decision",
                "params:monitoring.data",
            ],
            outputs="standing",
            name="take_standing",
        ),
        Node(
            func=report_tables,
            inputs=[
                "open_alerts",
                "file_history",
                "ledger_history",
                "stage_history",
                "run",
                "params:monitoring.data",
            ],
            outputs="report_tables",
            name="report_tables",
        ),
        Node(
            func=_bound(report, use_case=use_case.name),
            inputs=["standing", "report_tables", "run", "params:monitoring.report", *plots],
            outputs="monitoring_report",
            name="report",
        ),
        Node(
            func=_bound(count_rows, tables=gold),
            inputs=["run", "file_history", "ml_predictions", *(f"gold_{table}" for table in gold)],
            outputs="row_counts",
            name="count_rows",
        ),
        Node(
            func=newest_evaluation,
            inputs="ml_evaluations",
            outputs="evaluation_history",
            name="newest_evaluation",
        ),
        Node(
            func=summarise,
            inputs=[
                "standing",
                "row_counts",
                "evaluation_history",
                "ledger_history",
                "run",
                "params:monitoring.summary",
            ],
            outputs="reporting_summary",
            name="summarise",
        ),
    ]

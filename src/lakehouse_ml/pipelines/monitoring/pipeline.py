"""The monitoring pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.monitoring.alerts import drift_alerts, quality_alerts, retrain_alerts
from lakehouse_ml.pipelines.monitoring.champion import watch_champion
from lakehouse_ml.pipelines.monitoring.counting import count_days
from lakehouse_ml.pipelines.monitoring.drift import drift
from lakehouse_ml.pipelines.monitoring.drift_plot import plot_drift
from lakehouse_ml.pipelines.monitoring.estimates import estimate_windows
from lakehouse_ml.pipelines.monitoring.findings import found_alerts
from lakehouse_ml.pipelines.monitoring.flow_plots import plot_data_flow, plot_stages
from lakehouse_ml.pipelines.monitoring.headline import take_standing
from lakehouse_ml.pipelines.monitoring.history import (
    recent_decisions,
    recent_drift,
    recent_files,
    recent_quality,
    recent_stages,
)
from lakehouse_ml.pipelines.monitoring.invariants import (
    feature_breaches,
    invariant_alerts,
    score_breaches,
    training_profile,
)
from lakehouse_ml.pipelines.monitoring.landed import data_alerts
from lakehouse_ml.pipelines.monitoring.lifecycle import (
    alert_events,
    due_messages,
    newest_events,
    open_alerts,
    open_before,
)
from lakehouse_ml.pipelines.monitoring.outcomes import outcome_alerts
from lakehouse_ml.pipelines.monitoring.profile import profile
from lakehouse_ml.pipelines.monitoring.quality import (
    measure_windows,
    quality_standards,
    record_windows,
    resolve_predictions,
    waiting_predictions,
)
from lakehouse_ml.pipelines.monitoring.quality_plot import plot_quality
from lakehouse_ml.pipelines.monitoring.report import report
from lakehouse_ml.pipelines.monitoring.retrain import decide_retrain
from lakehouse_ml.pipelines.monitoring.retrain_record import record_retrain, request_training
from lakehouse_ml.pipelines.monitoring.situation import read_past, take_situation
from lakehouse_ml.pipelines.monitoring.summary import count_rows, newest_evaluation, summarise
from lakehouse_ml.pipelines.monitoring.tables import report_tables
from lakehouse_ml.pipelines.monitoring.unscored import due_days, unscored_alerts
from lakehouse_ml.use_case import UseCase, bound

PLOTS = ["monitoring_quality_plot", "monitoring_drift_plot", "monitoring_flow_plot", "monitoring_stages_plot"]

# What rules found about data and model, before it is decided whether to retrain.
FINDINGS = [
    *("drift_findings", "quality_findings", "data_findings"),
    *("invariant_findings", "outcome_findings", "unscored_findings"),
]


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Predictions, labels and gold in; drift, quality, alerts, a retrain decision and one page out."""
    parts = (
        *(_drift(), _quality(use_case), _histories()),
        *(_invariants(use_case), _unscored(use_case), _judgements(use_case)),
        *(_retraining(use_case), _alerts(), _plots(), _pages(use_case)),
    )
    return Pipeline([node for part in parts for node in part])


def _drift() -> list[Node]:
    due = ["gold_features", "watched_champion", "before_ops_profile_metrics", "run"]
    counted = ["day_counts", "watched_champion", "before_ops_profile_metrics", "run"]
    profiled = ["ops_profile_metrics", "watched_champion", "before_ops_drift_metrics", "run"]
    params = ["params:monitoring.windows", "params:monitoring.profile"]
    shown = ["table_versions", "params:monitoring.profile"]
    return [
        Node(watch_champion, "ml_champion", "watched_champion", name="watch_champion"),
        Node(count_days, [*due, *params], "day_counts", name="count_days"),
        Node(profile, [*counted, *shown], "ops_profile_metrics", name="profile"),
        Node(drift, [*profiled, "params:monitoring.windows"], "ops_drift_metrics", name="drift"),
    ]


def _quality(use_case: UseCase) -> list[Node]:
    resolve = bound(resolve_predictions, label=use_case.labels.column)
    measure = bound(measure_windows, costs=use_case.costs)
    estimate = bound(estimate_windows, costs=use_case.costs)
    scored = ["ml_predictions", "gold_labels", "before_ops_quality_windows", "run"]
    params = ["params:monitoring.quality", "params:random_seed"]
    stored, grid = "before_ops_quality_windows", "params:monitoring.windows"
    held = ["resolved_predictions", "ml_evaluations", stored, "run", grid]
    judged = ["resolved_predictions", "quality_standards", "run", *params]
    waited = ["resolved_predictions", "run", params[0]]
    return [
        Node(resolve, [*scored, grid], "resolved_predictions", name="resolve_predictions"),
        Node(quality_standards, held, "quality_standards", name="quality_standards"),
        Node(measure, judged, "measured_windows", name="measure_windows"),
        Node(record_windows, ["measured_windows", stored], "ops_quality_windows", name="quality_windows"),
        Node(estimate, waited, "estimated_windows", name="estimate_windows"),
        Node(waiting_predictions, waited, "waiting_predictions", name="waiting_predictions"),
    ]


def _histories() -> list[Node]:
    params = "params:monitoring.history"
    measured = ["ops_quality_windows", "watched_champion", "run", params]
    landed = ["ops_ingestion_log", "ops_runs", "run"]
    return [
        Node(recent_quality, measured, "quality_history", name="recent_quality"),
        Node(recent_drift, ["ops_drift_metrics", "watched_champion"], "drift_history", name="recent_drift"),
        Node(recent_files, landed, "file_history", name="recent_files"),
        Node(
            func=recent_decisions,
            inputs=["ops_promotion_ledger", "watched_champion", params],
            outputs="ledger_history",
            name="recent_decisions",
        ),
        Node(recent_stages, ["before_ops_event_log", params], "stage_history", name="recent_stages"),
    ]


def _invariants(use_case: UseCase) -> list[Node]:
    families = {family.name: family.contract.names for family in use_case.families}
    broken = bound(invariant_alerts, families=families, owners=use_case.owners)
    outcomes = bound(outcome_alerts, owners=use_case.owners)
    profiled, params = ["ops_profile_metrics", "watched_champion"], "params:monitoring.invariants"
    seen, scored = ["day_counts", "training_profile", "run"], ["resolved_predictions", "run"]
    limits, awaited = ["params:monitoring.windows", params], ["waiting_predictions", "run"]
    breaches = ["feature_breaches", "score_breaches"]
    return [
        Node(training_profile, profiled, "training_profile", name="training_profile"),
        Node(feature_breaches, [*seen, *limits], "feature_breaches", name="feature_breaches"),
        Node(score_breaches, [*scored, *limits], "score_breaches", name="score_breaches"),
        Node(broken, [*breaches, params], "invariant_findings", name="invariant_alerts"),
        Node(outcomes, [*awaited, "params:monitoring.outcomes"], "outcome_findings", name="outcome_alerts"),
    ]


def _unscored(use_case: UseCase) -> list[Node]:
    known = [f"gold_{use_case.entities}", "ml_predictions", "watched_champion", "run"]
    left = bound(unscored_alerts, owners=use_case.owners)
    return [
        Node(due_days, [*known, "params:monitoring.windows"], "due_days", name="due_days"),
        Node(left, ["due_days", "params:monitoring.scoring"], "unscored_findings", name="unscored_alerts"),
    ]


def _judgements(use_case: UseCase) -> list[Node]:
    owners, sources = use_case.owners, tuple(contract.name for contract in use_case.sources)
    drifted = bound(drift_alerts, owners=owners)
    failed = bound(quality_alerts, owners=owners)
    landed = bound(data_alerts, owners=owners, sources=sources)
    return [
        Node(drifted, ["drift_history", "params:monitoring.drift"], "drift_findings", name="drift_alerts"),
        Node(failed, ["quality_history", "watched_champion"], "quality_findings", name="quality_alerts"),
        Node(landed, ["file_history", "run", "params:monitoring.data"], "data_findings", name="data_alerts"),
    ]


def _retraining(use_case: UseCase) -> list[Node]:
    read = bound(read_past, label=use_case.labels.column)
    due = bound(retrain_alerts, owners=use_case.owners)
    before, decided = "before_ops_retrain_decisions", "retrain_decision"
    passed = ["ops_promotion_ledger", before, "gold_labels", "watched_champion", "run"]
    known = [
        "watched_champion",
        "run",
        "ledger_history",
        "quality_history",
        "retrain_past",
        "alerts_before",
    ]
    recorded = [decided, "retrain_past", before, "run"]
    return [
        Node(read, passed, "retrain_past", name="read_past"),
        Node(open_before, "before_ops_alerts", "alerts_before", name="open_before"),
        Node(take_situation, [*known, *FINDINGS], "situation", name="take_situation"),
        Node(decide_retrain, ["situation", "params:monitoring.retrain"], decided, name="decide_retrain"),
        Node(record_retrain, recorded, "ops_retrain_decisions", name="retrain_decisions"),
        Node(
            request_training,
            [decided, "ops_retrain_decisions", "alert_messages", "run"],
            "training_job",
            name="request_training",
        ),
        Node(due, decided, "retrain_findings", name="retrain_alerts"),
    ]


def _alerts() -> list[Node]:
    params = "params:monitoring.alerts"
    happened = ["open_alerts", "known_alerts", "ops_runs", "run", params]
    return [
        Node(found_alerts, [*FINDINGS, "retrain_findings"], "found_alerts", name="found_alerts"),
        Node(newest_events, ["before_ops_alerts", "found_alerts"], "known_alerts", name="known_alerts"),
        Node(open_alerts, ["found_alerts", "known_alerts", "run"], "open_alerts", name="open_alerts"),
        Node(alert_events, happened, "ops_alerts", name="alerts"),
        Node(due_messages, ["ops_alerts", "run", params], "alert_messages", name="tell_alerts"),
    ]


def _plots() -> list[Node]:
    quality, drifted, flow, stages = PLOTS
    landed = ["file_history", "run", "params:monitoring.history"]
    measured = ["quality_history", "estimated_windows"]
    return [
        Node(plot_quality, [*measured, "params:monitoring.quality"], quality, name="plot_quality"),
        Node(plot_drift, ["drift_history", "params:monitoring.drift"], drifted, name="plot_drift"),
        Node(plot_data_flow, landed, flow, name="plot_data_flow"),
        Node(plot_stages, "stage_history", stages, name="plot_stages"),
    ]


def _pages(use_case: UseCase) -> list[Node]:
    gold = (use_case.entities, "features", "labels")
    counted = ["run", "file_history", "ml_predictions", *(f"gold_{table}" for table in gold)]
    judged = ["watched_champion", "quality_history", "file_history", "open_alerts", "retrain_decision"]
    listed = ["standing", "file_history", "ledger_history", "stage_history", "run"]
    shown = ["standing", "report_tables", "run", "params:monitoring.report", *PLOTS]
    told = [
        "standing",
        "row_counts",
        "latest_evaluation",
        "ledger_history",
        "run",
        "params:monitoring.summary",
    ]
    page = bound(report, use_case=use_case.name)
    return [
        Node(take_standing, [*judged, "params:monitoring.data"], "standing", name="take_standing"),
        Node(report_tables, [*listed, "params:monitoring.data"], "report_tables", name="report_tables"),
        Node(page, shown, "monitoring_report", name="report"),
        Node(bound(count_rows, tables=gold), counted, "row_counts", name="count_rows"),
        Node(newest_evaluation, "ml_evaluations", "latest_evaluation", name="newest_evaluation"),
        Node(summarise, told, "reporting_summary", name="summarise"),
    ]

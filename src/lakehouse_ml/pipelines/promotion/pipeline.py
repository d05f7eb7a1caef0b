"""The promotion pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.promotion.apply import apply_decision, read_ledger, register
from lakehouse_ml.pipelines.promotion.decide import decide
from lakehouse_ml.pipelines.promotion.gather import gather_evidence, try_candidates
from lakehouse_ml.pipelines.promotion.model_card import write_model_card
from lakehouse_ml.pipelines.promotion.records import declare_rows, record_data
from lakehouse_ml.use_case import UseCase, bound

RULES = "params:promotion.rules"


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Evaluation and candidates in, a decision in the ledger and the champion out."""
    return Pipeline([*_evidence_nodes(use_case), *_decision_nodes(use_case)])


def _evidence_nodes(use_case: UseCase) -> list[Node]:
    declare = bound(declare_rows, label=use_case.labels.column)
    holdout = [f"recorded_gold_{use_case.entities}", "recorded_gold_labels"]
    gathered = ["before_ml_champion", "tried_candidates", "table_records", "ledger_before", "run"]
    return [
        Node(read_ledger, ["promotion_ledger", "model_registry"], "ledger_before", name="read_ledger"),
        Node(
            func=bound(try_candidates, use_case=use_case),
            inputs=["ml_candidates", "golden_rows", "model_registry", RULES],
            outputs="tried_candidates",
            name="try_candidates",
        ),
        Node(declare, ["ml_candidates", *holdout], "declared_rows", name="declare_rows"),
        Node(
            func=record_data,
            inputs=["ml_candidates", "ops_ingestion_log", "before_ops_alerts", "declared_rows", "run", RULES],
            outputs="table_records",
            name="record_data",
        ),
        Node(gather_evidence, ["ml_evaluations", *gathered], "promotion_evidence", name="gather_evidence"),
    ]


def _decision_nodes(use_case: UseCase) -> list[Node]:
    card = bound(write_model_card, use_case=use_case)
    return [
        Node(decide, ["promotion_evidence", RULES], "promotion_decision", name="decide"),
        Node(card, "promotion_decision", "promotion_model_card", name="write_model_card"),
        Node(
            func=register,
            inputs=["promotion_decision", "promotion_model_card", "ledger_before", "model_registry", "run"],
            outputs=["model_cards", "ledger_entry"],
            name="register",
        ),
        Node(
            func=apply_decision,
            inputs=[
                "ledger_entry",
                "ledger_before",
                "promotion_ledger",
                "model_registry",
                "serving_endpoint",
            ],
            outputs="ml_champion",
            name="apply_decision",
        ),
    ]

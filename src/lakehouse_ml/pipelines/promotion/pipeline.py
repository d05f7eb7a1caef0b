"""The promotion pipeline's table of contents."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.promotion.apply import apply_decision
from lakehouse_ml.pipelines.promotion.decide import decide
from lakehouse_ml.pipelines.promotion.gather import gather_evidence
from lakehouse_ml.pipelines.promotion.model_card import write_model_card
from lakehouse_ml.pipelines.promotion.record import record_decision
from lakehouse_ml.use_case import UseCase, bound

REGISTER = ["before_ops_promotion_ledger", "model_registry", "run"]
EVIDENCE = ["ml_evaluations", "ml_candidates", "before_ml_champion", *REGISTER]


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Evaluation and candidates in, a decision in the ledger and the champion out."""
    card = bound(write_model_card, use_case=use_case)
    return Pipeline(
        [
            Node(gather_evidence, EVIDENCE, "promotion_evidence", name="gather_evidence"),
            Node(
                func=decide,
                inputs=["promotion_evidence", "params:promotion.rules"],
                outputs="promotion_decision",
                name="decide",
            ),
            Node(card, "promotion_decision", "promotion_model_card", name="write_model_card"),
            Node(
                func=record_decision,
                inputs=["promotion_decision", "promotion_model_card", *REGISTER],
                # The ledger's row comes last: until it stands, a killed run starts over.
                outputs=["model_cards", "ops_promotion_ledger"],
                name="record_decision",
            ),
            Node(
                func=apply_decision,
                inputs=["promotion_decision", "ops_promotion_ledger", "model_registry"],
                outputs="ml_champion",
                name="apply_decision",
            ),
        ]
    )

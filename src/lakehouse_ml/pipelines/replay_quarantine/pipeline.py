"""Quarantine -> silver, for the lines that keep today's rules."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.pipelines.replay_quarantine.replay import log_replay, replay
from lakehouse_ml.use_case import UseCase, bound, landed_sources


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Quarantined lines into silver where the corrected rules allow it; the next run takes it from there."""
    contracts = landed_sources(use_case)
    sources = [contract.name for contract in contracts]
    return Pipeline(
        [
            *(
                Node(
                    func=bound(replay, contract=contract),
                    inputs="quarantine_lines",
                    outputs=[f"replayed_{contract.name}", f"silver_{contract.name}"],
                    name=f"replay_{contract.name}",
                )
                for contract in contracts
            ),
            Node(
                func=bound(log_replay, sources=contracts),
                inputs=[
                    "before_ops_ingestion_log",
                    *(f"replayed_{source}" for source in sources),
                    *(f"silver_{source}" for source in sources),
                ],
                outputs="ops_ingestion_log",
                name="log_replay",
            ),
        ]
    )

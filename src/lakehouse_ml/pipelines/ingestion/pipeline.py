"""Landing files -> bronze -> silver and quarantine -> ingestion log -> the run's now."""

from kedro.pipeline import Node, Pipeline

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.pipelines.ingestion.clean import clean, quarantine
from lakehouse_ml.pipelines.ingestion.log_files import log_files
from lakehouse_ml.pipelines.ingestion.new_files import find_new_files, ingest
from lakehouse_ml.pipelines.ingestion.open_run import mark_progress, open_run
from lakehouse_ml.use_case import UseCase, bound, landed_sources


def create_pipeline(use_case: UseCase) -> Pipeline:
    """Every landed line into silver or quarantine, once."""
    contracts = landed_sources(use_case)
    sources = tuple(contract.name for contract in contracts)
    required = tuple(contract.name for contract in use_case.sources)
    find = Node(
        func=bound(find_new_files, sources=sources, required=required),
        inputs=["landing_files", "before_ops_ingestion_log"],
        outputs=["new_files", "listed_files"],
        name="find_new_files",
    )
    by_source = (node for contract in contracts for node in _source_nodes(contract))
    return Pipeline([find, *by_source, *_account_nodes(contracts), *_run_nodes(sources, required)])


def _account_nodes(contracts: tuple[Contract, ...]) -> list[Node]:
    sources = tuple(contract.name for contract in contracts)
    checked = [f"checked_{source}" for source in sources]
    silver = [f"silver_{source}" for source in sources]
    listed = ["new_files", "listed_files", "landing_files"]
    return [
        Node(bound(quarantine, sources=sources), checked, "quarantine_lines", name="quarantine"),
        Node(
            func=bound(log_files, sources=contracts),
            inputs=[*listed, "quarantine_lines", *checked, *silver],
            outputs="ops_ingestion_log",
            name="log_files",
        ),
    ]


def _run_nodes(sources: tuple[str, ...], required: tuple[str, ...]) -> list[Node]:
    state = ["ops_ingestion_log", "new_files", "before_ops_runs", "table_versions"]
    return [
        Node(bound(open_run, sources=required), [*state, "params:as_of"], "run", name="open_run"),
        Node(
            func=bound(mark_progress, sources=sources),
            inputs=["run", "ops_ingestion_log"],
            outputs="progress_of_ingestion",
            name="mark_ingestion_progress",
        ),
    ]


def _source_nodes(contract: Contract) -> list[Node]:
    source = contract.name
    return [
        Node(
            func=bound(ingest, source=source),
            inputs=[f"landing_{source}", "new_files"],
            outputs=f"bronze_{source}@lines",
            name=f"ingest_{source}",
        ),
        Node(
            func=bound(clean, contract=contract),
            inputs=[f"bronze_{source}@new", "new_files"],
            outputs=[f"checked_{source}", f"silver_{source}"],
            name=f"clean_{source}",
        ),
    ]

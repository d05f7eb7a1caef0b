"""Conventions that hold the project together; ``test_conventions_bite.py`` shows that each of them can fail."""

import ast
import statistics
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter
from itertools import permutations
from pathlib import Path

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from lakehouse_ml.datasets import DeltaChanges, DeltaTable, PromotionLedger, RunLog
from lakehouse_ml.flights import CONTRACTS, USE_CASE
from lakehouse_ml.hooks.session import READ_ELSEWHERE
from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.serving.params import ServingParams

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
SRC = ROOT / "src" / "lakehouse_ml"
# Given to the nodes that append to it.
LEDGERS = {"promotion_ledger"}
ENVIRONMENTS = sorted(path.parent.name for path in CONF.glob("*/globals.yml") if path.parent.name != "base")


@pytest.fixture(scope="module")
def registered() -> dict[str, Pipeline]:
    bootstrap_project(ROOT)
    from lakehouse_ml.pipeline_registry import register_pipelines

    return register_pipelines()


@pytest.fixture(scope="module")
def loader() -> OmegaConfigLoader:
    bootstrap_project(ROOT)
    return OmegaConfigLoader(str(CONF), **{**settings.CONFIG_LOADER_ARGS, "default_run_env": "dev"})


def catalog_of(loader: OmegaConfigLoader) -> DataCatalog:
    return DataCatalog.from_config(loader["catalog"])


def datasets_between(pipelines: dict[str, Pipeline], stages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Stage and dataset, of everything that one stage writes and another one reads."""
    for stage in stages:
        for other in stages:
            if other != stage:
                yield from ((stage, name) for name in pipelines[stage].outputs() & pipelines[other].inputs())


def in_memory(catalog: DataCatalog, names: list[str]) -> list[str]:
    return [name for name in names if name not in catalog]


def tables_of(catalog: DataCatalog) -> Callable[[str], set[str]]:
    """What a dataset of that name reads or writes; what is no table is named as it is."""

    def tables(name: str) -> set[str]:
        dataset = catalog.get(name)
        if isinstance(dataset, DeltaChanges):
            return {dataset.source.table, dataset.progress.table}
        if isinstance(dataset, PromotionLedger):
            return {dataset.ledger.table.table}
        table = dataset.runs if isinstance(dataset, RunLog) else dataset
        return {table.table if isinstance(table, DeltaTable) else name}

    return tables


def in_any_order(pipeline: Pipeline, tables: Callable[[str], set[str]]) -> set[tuple[str, str, str]]:
    """A table, a node that writes it and another that uses it, where no dataset leads from one to the other."""
    before: dict[Node, set[Node]] = {}
    for node in pipeline.nodes:
        direct = pipeline.node_dependencies[node]
        before[node] = direct.union(*(before[other] for other in direct))
    saved = {n: set().union(*map(tables, [*n.outputs, *LEDGERS.intersection(n.inputs)])) for n in before}
    used = {n: saved[n].union(*map(tables, n.inputs)) for n in before}
    return {
        (table, writer.short_name, other.short_name)
        for writer, other in permutations(before, 2)
        if writer not in before[other] and other not in before[writer]
        for table in saved[writer] & used[other]
    }


def functions_of(folder: Path) -> Iterator[tuple[int, str]]:
    """Body lines without docstring, and place, of every function."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                yield lines, f"{path.relative_to(folder)}:{node.lineno} {node.name}"


def layers_before(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, set[str]]:
    """The layers that lead to each layer, also by way of datasets that are in none."""
    before: dict[str, set[str]] = {}
    reached: dict[str, set[str]] = {}
    for node in pipeline.nodes:
        come_from = set().union(*(reached_by(name, catalog, reached) for name in node.inputs))
        for name in node.outputs:
            layer = layer_of(name, catalog)
            if layer is None:
                reached.setdefault(name, set()).update(come_from)
            else:
                before.setdefault(layer, set()).update(come_from - {layer})
    return before


def reached_by(name: str, catalog: DataCatalog, reached: dict[str, set[str]]) -> set[str]:
    layer = layer_of(name, catalog)
    return reached.get(name, set()) if layer is None else {layer}


def layer_of(name: str, catalog: DataCatalog) -> str | None:
    metadata = getattr(catalog.get(name), "metadata", None) or {}
    return metadata.get("kedro-viz", {}).get("layer")


def restricted_beyond_silver(sources: Iterable[Contract], contracts: Iterable[Contract]) -> list[str]:
    """Columns of gold, ml and ops that bear a restricted column's name, or are restricted themselves."""
    restricted = {c.name for source in sources for c in source.columns if c.privacy == "restricted"}
    beyond = [c for c in contracts if c.table.split(".")[0] in ("gold", "ml", "ops")]
    return [
        f"{contract.table}.{column.name}"
        for contract in beyond
        for column in contract.columns
        if column.name in restricted or column.privacy == "restricted"
    ]


STAGES = (
    "ingestion",
    "feature_engineering",
    "training",
    "evaluation",
    "promotion",
    "inference",
    "monitoring",
)


def test_the_stages_run_in_the_order_in_which_they_are_told(registered: dict[str, Pipeline]) -> None:
    order = [min(node.tags) for node in registered["__default__"].nodes]
    last = {stage: max(i for i, s in enumerate(order) if s == stage) for stage in STAGES}
    first = {stage: order.index(stage) for stage in STAGES}
    names = {node.name for node in registered["__default__"].nodes}
    assert set(order) == set(STAGES)
    assert len(names) == len(registered["__default__"].nodes)
    assert sorted(STAGES, key=lambda s: last[s]) == list(STAGES), (first, last)


def test_every_node_bears_the_name_of_its_one_stage(registered: dict[str, Pipeline]) -> None:
    of_several = {"__default__", "daily", "retrain"}
    tags = {
        name: {tuple(node.tags) for node in registered[name].nodes} for name in registered.keys() - of_several
    }
    assert tags == {name: {(name,)} for name in tags}
    assert tags.keys() == {*STAGES, "maintenance", "replay_quarantine", "endpoint"}


def test_what_one_stage_hands_to_another_is_persisted(
    registered: dict[str, Pipeline], loader: OmegaConfigLoader
) -> None:
    shared = sorted({name for _, name in datasets_between(registered, STAGES)})
    assert shared
    assert in_memory(catalog_of(loader), shared) == []


def test_no_layer_leads_back_to_an_earlier_one(
    registered: dict[str, Pipeline], loader: OmegaConfigLoader
) -> None:
    # Raises on a cycle, for which kedro-viz would leave all layers out.
    order = list(
        TopologicalSorter(layers_before(registered["__default__"], catalog_of(loader))).static_order()
    )
    assert set(order) == {
        "landing",
        "bronze",
        "silver",
        "quarantine",
        "log",
        "gold",
        "ml",
        "ops",
        "reporting",
    }
    assert order[:2] == ["landing", "bronze"]


@pytest.mark.parametrize("name", ["__default__", "daily", "retrain"])
def test_nodes_that_may_work_side_by_side_share_no_table_that_one_of_them_writes(
    registered: dict[str, Pipeline], loader: OmegaConfigLoader, name: str
) -> None:
    assert in_any_order(registered[name], tables_of(catalog_of(loader))) == set()


def test_every_free_input_is_in_the_catalog(
    registered: dict[str, Pipeline], loader: OmegaConfigLoader
) -> None:
    free = {name for pipeline in registered.values() for name in pipeline.inputs()}
    produced = {name for pipeline in registered.values() for name in pipeline.outputs()}
    wanted = sorted(name for name in free - produced if not name.startswith("params:"))
    assert in_memory(catalog_of(loader), wanted) == []


def test_every_parameter_is_read_and_every_read_parameter_is_there(
    registered: dict[str, Pipeline], loader: OmegaConfigLoader
) -> None:
    read = {
        n.removeprefix("params:") for p in registered.values() for n in p.inputs() if n.startswith("params:")
    }
    given = loader["parameters"]
    groups = {
        name if not isinstance(value, dict) or name in read else f"{name}.{group}"
        for name, value in given.items()
        for group in (value if isinstance(value, dict) and name not in read else [""])
    }
    elsewhere = {name for name in groups if name.split(".")[0] in READ_ELSEWHERE}
    assert groups - elsewhere == read
    assert ServingParams(**given["serving"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environments_differ_by_values_only(environment: str) -> None:
    base = set(yaml.safe_load((CONF / "base" / "globals.yml").read_text()))
    own = yaml.safe_load((CONF / environment / "globals.yml").read_text())
    assert set(own) <= base
    assert own["catalog"] == environment
    assert not list((CONF / environment).glob("catalog*"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_environment_names_the_place_of_another(environment: str) -> None:
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(CONF), env=environment, **settings.CONFIG_LOADER_ARGS)
    resolved = yaml.safe_dump({"catalog": loader["catalog"], "mlflow": loader["mlflow"]})
    for other in set(ENVIRONMENTS) - {environment}:
        assert f"catalog: {other}\n" not in resolved
        assert f"/{other}/" not in resolved
        assert f"/{other}.db" not in resolved


def test_conf_holds_only_yaml() -> None:
    strange = [path for path in CONF.rglob("*") if path.is_file() and path.suffix != ".yml"]
    assert [path.name for path in strange] == [".gitkeep"]


def test_a_table_name_tells_its_file() -> None:
    for source in USE_CASE.sources:
        assert (SRC / "flights" / "sources" / f"{source.name}.py").is_file()
    for family in USE_CASE.families:
        assert (SRC / "flights" / "features" / f"{family.name}.py").is_file()
    assert {contract.table for contract in USE_CASE.sources} <= set(CONTRACTS)


def test_restricted_columns_stay_in_the_layers_before_gold() -> None:
    assert any(column.privacy == "restricted" for source in USE_CASE.sources for column in source.columns)
    families = (family.contract for family in USE_CASE.families)
    assert restricted_beyond_silver(USE_CASE.sources, [*CONTRACTS.values(), *families]) == []


def test_functions_and_modules_stay_small() -> None:
    sizes = sorted(functions_of(SRC))
    lines = [size for size, _ in sizes]
    assert statistics.median(lines) <= 8
    assert lines[int(len(lines) * 0.9) - 1] <= 25
    assert [place for size, place in sizes if size > 40] == []
    long = [str(p) for p in SRC.rglob("*.py") if p.read_text().count("\n") > 300]
    assert long == []

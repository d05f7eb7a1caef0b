"""Fixtures that every test shares: one Spark session, no stray MLflow run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import settings
from pyspark.sql import SparkSession

from lakehouse_ml.datasets.session import configure_spark, get_spark
from processes import QUICK_TO_START

if TYPE_CHECKING:
    from project_builders import Project
    from registry_builders import Stores

CONF = Path(__file__).parent.parent / "conf"

# How long an example takes says nothing on a machine that others use.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=5, help="how often test_chaos kills a run")
    parser.addoption("--chaos-seed", type=int, default=1, help="chooses the moments of the kills")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "spark" in fixtures:
            item.add_marker(pytest.mark.spark)
        if "mlflow_template" in fixtures:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The zoo as a table: what was wrong, the rule that is there for it, and the verdict."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.getreports(key)]
    shown = [value for report in reports for name, value in report.user_properties if name == "zoo"]
    if shown:
        terminalreporter.section("zoo of models")
        for kind, rule, verdict in shown:
            terminalreporter.write_line(f"{kind:<45} {rule:<28} {verdict}")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    conf = yaml.safe_load((CONF / "base" / "spark.yml").read_text())
    warehouse = tmp_path_factory.mktemp("warehouse")
    # Two of them fit beside a whole run of its own.
    small = {
        **QUICK_TO_START,
        "spark.driver.memory": "3g",
        "spark.sql.shuffle.partitions": "2",
    }
    configure_spark({**conf, **small, "spark.sql.warehouse.dir": str(warehouse)})
    session = get_spark()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def project(spark: SparkSession, tmp_path: Path) -> "Project":
    """The real conf over folders of its own. For a project that a whole module shares, make a ``Project`` itself."""
    from project_builders import Project

    return Project(tmp_path)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Imported here, since MLflow takes seconds and most tests do without.
    from registry_builders import make_template

    return make_template(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def stores(mlflow_template: Path, tmp_path: Path) -> "Iterator[Stores]":
    import mlflow

    from registry_builders import make_stores

    yield make_stores(mlflow_template, tmp_path)
    mlflow.set_tracking_uri("")

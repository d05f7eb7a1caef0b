"""Fixtures that every test shares: one Spark session, no stray MLflow run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from lakehouse_ml.platform import platform

# Fixtures import what they need: every process of tests reads this file before any test, and so does the one above.
if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from project_builders import Project
    from registry_builders import Stores

# How long an example takes says nothing on a machine that others use. The laws are tried on fifty examples each time
# the tests run, and on others the next time.
settings.register_profile("often", deadline=None, max_examples=50)
settings.load_profile("often")


# What `--unit` leaves out, and a file of which it leaves out everything.
NOT_UNIT = ("spark", "slow", "loop")
WHOLE_FILE = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(NOT_UNIT)})$", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--unit", action="store_true", help="only the tests of functions, which take seconds")
    parser.addoption(
        "--kills", type=int, default=5, help="how often test_chaos kills; test_replay half as often, less one"
    )
    parser.addoption("--chaos-seed", type=int, default=1, help="chooses the moments of the kills")
    parser.addoption("--remote", help="address of a Spark Connect server that the tests run over")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("unit"):
        config.option.markexpr = f"not ({' or '.join(NOT_UNIT)})"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files without a unit test are not even imported for them: that takes seconds of its own."""
    if config.getoption("unit") and collection_path.suffix == ".py":
        return bool(WHOLE_FILE.search(collection_path.read_text())) or None
    return None


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
def spark(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> "Iterator[SparkSession]":
    from lakehouse_ml.datasets.session import configure_spark, get_spark
    from processes import small_spark

    remote = pytestconfig.getoption("--remote")
    configure_spark({"spark.remote": remote} if remote else small_spark(tmp_path_factory.mktemp("warehouse")))
    session = get_spark()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[dict[str, str]]":
    """Globals of the platform that ``LAKEHOUSE_ML_PLATFORM`` names, so that whole stages run there.

    A laptop needs nothing. Databricks is a metastore with the layers' schemas, Auto Loader's stand-in, and a workspace.
    """
    if platform() == "local":
        yield {}
        return
    from auto_loader import AutoLoader
    from fake_workspace import fake_workspace

    spark, catalog = request.getfixturevalue("spark"), "spark_catalog"
    spark.dataSource.register(AutoLoader)
    for schema in ("bronze", "silver", "quarantine", "gold", "ml", "ops"):
        spark.sql(f"CREATE SCHEMA {catalog}.{schema}")
    with (
        pytest.MonkeyPatch.context() as patched,
        fake_workspace(tmp_path_factory.mktemp("workspace"), patched),
    ):
        yield {"catalog": catalog}


@pytest.fixture
def project(spark: "SparkSession", tmp_path: Path) -> "Project":
    """The real conf over folders of its own. For a project that a whole module shares, make a ``Project`` itself."""
    from project_builders import Project

    return Project(tmp_path)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from registry_builders import make_template

    return make_template(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture
def stores(mlflow_template: Path, tmp_path: Path) -> "Iterator[Stores]":
    import mlflow

    from registry_builders import make_stores

    yield make_stores(mlflow_template, tmp_path)
    mlflow.set_tracking_uri("")

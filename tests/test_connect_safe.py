"""The package runs over Spark Connect and on serverless compute: nothing of a classic session's inside is touched."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "lakehouse_ml"

# Attributes of sessions and frames that lead into the JVM, or that serverless compute refuses.
ABSENT = {
    "rdd",
    "sparkContext",
    "newSession",
    "cache",
    "cacheTable",
    "checkpoint",
    "localCheckpoint",
    "createGlobalTempView",
    "createOrReplaceGlobalTempView",
    "setJobDescription",
    "setJobGroup",
    "addPyFile",
    "broadcastVariable",
}
# Kept for one module, which asks whether the platform can.
GUARDED = {"persist": "persisted.py", "unpersist": "persisted.py"}
MODULES = ("delta", "py4j", "pyspark.rdd", "pyspark.context", "pyspark.java_gateway", "pyspark.mllib")
NAMES = {"SparkContext", "RDD", "SQLContext", "HiveContext", "Broadcast", "Accumulator"}
# Functions of the module `pyspark.sql.functions` bear the name of what a context has.
FUNCTIONS = {"F"}


def classic_only(text: str, file: str = "") -> list[str]:
    """What the source has that Connect lacks, with its line."""
    tree = ast.parse(text)
    return [f"{node.lineno}: {found}" for node in ast.walk(tree) for found in _classic(node, file)]


def _classic(node: ast.AST, file: str) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield from _attribute(node, file)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _is_banned(alias.name))
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        yield from (f"{module}.{a.name}" for a in node.names if _is_banned(module) or a.name in NAMES)
    elif isinstance(node, ast.Call):
        yield from _call(node)


def _is_banned(module: str) -> bool:
    return any(module == banned or module.startswith(f"{banned}.") for banned in MODULES)


def _attribute(node: ast.Attribute, file: str) -> Iterator[str]:
    on_functions = isinstance(node.value, ast.Name) and node.value.id in FUNCTIONS
    if node.attr.startswith("_j") or (node.attr in ABSENT | NAMES and not on_functions):
        yield node.attr
    if node.attr in GUARDED and file != GUARDED[node.attr]:
        yield node.attr
    # Static settings cannot be set, and serverless compute raises on all but a few, also when it is asked for one.
    if (
        node.attr in ("get", "set", "unset")
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "conf"
    ):
        yield f"conf.{node.attr}"


def _call(node: ast.Call) -> Iterator[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name == "isinstance" and "SparkSession" in ast.unparse(node.args[1]):
        yield "isinstance of SparkSession"
    # getattr(frame, "rdd") and `spark.sql("SET ...")` are ways round.
    if name in ("getattr", "hasattr") and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        yield from (str(node.args[1].value) for _ in [0] if node.args[1].value in ABSENT | set(GUARDED))
    statement = ast.unparse(node.args[0]).lstrip("f'\"").upper() if node.args else ""
    is_sql = isinstance(node.func, ast.Attribute) and node.func.attr == "sql"
    if is_sql and statement.startswith(("SET ", "CACHE ", "ADD JAR", "ADD FILE")):
        yield statement.split(" ")[0]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_needs_a_classic_session(path: Path) -> None:
    assert classic_only(path.read_text(), path.name) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("frame.rdd.map(f)", "rdd"),
        ("frame.sparkSession.sparkContext.setLogLevel('ERROR')", "sparkContext"),
        ("spark._jvm.java", "_jvm"),
        ("frame._jdf", "_jdf"),
        ("spark._jsparkSession", "_jsparkSession"),
        ("spark.newSession()", "newSession"),
        ("from delta.tables import DeltaTable", "delta.tables.DeltaTable"),
        ("import delta", "delta"),
        ("from py4j.protocol import Py4JJavaError", "py4j.protocol.Py4JJavaError"),
        ("from pyspark import SparkContext", "pyspark.SparkContext"),
        ("pyspark.SparkContext.getOrCreate()", "SparkContext"),
        ("frame.cache()", "cache"),
        ("frame.persist()", "persist"),
        ("frame.localCheckpoint()", "localCheckpoint"),
        ("frame.createOrReplaceGlobalTempView('x')", "createOrReplaceGlobalTempView"),
        ("isinstance(spark, SparkSession)", "isinstance of SparkSession"),
        ("isinstance(spark, (str, sql.SparkSession))", "isinstance of SparkSession"),
        ("spark.conf.get('spark.ours', 'none')", "conf.get"),
        ("spark.conf.set('spark.driver.memory', '1g')", "conf.set"),
        ("spark.sql('SET spark.sql.shuffle.partitions = 2')", "SET"),
        ("spark.sql(f'CACHE TABLE {name}')", "CACHE"),
        ("getattr(frame, 'rdd')", "rdd"),
    ],
)
def test_the_check_finds_what_connect_lacks(source: str, found: str) -> None:
    assert classic_only(f"x = 1\n{source}\n") == [f"2: {found}"]


@pytest.mark.parametrize(
    "source",
    [
        "F.broadcast(frame)",
        "known.update(x)",
        "{'rdd': 1}['rdd']",
        "spark.sql('SELECT 1')",
    ],
)
def test_the_check_lets_pass_what_connect_has(source: str) -> None:
    assert classic_only(source) == []


def test_a_frame_is_persisted_only_behind_the_setting() -> None:
    source = "frame.persist()\n"
    assert classic_only(source, "persisted.py") == []
    assert classic_only(source, "quality.py") == ["1: persist"]

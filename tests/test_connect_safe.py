"""The package runs over Spark Connect: nothing of the classic session's inside is touched."""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "lakehouse_ml"
CLASSIC = re.compile(
    r"\.rdd\b|sparkContext|\bSparkContext|_jvm\b|_jdf\b|_jsparkSession|_jsc\b|from delta|import delta\b"
    r"|DeltaTable\.(forPath|forName|create|isDelta|convert)|\.cache\(\)|isinstance\([^)]*SparkSession"
)


def classic_only(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if CLASSIC.search(line)]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_needs_a_classic_session(path):
    assert classic_only(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "frame.rdd.map(f)",
        "spark.sparkContext.setLogLevel('ERROR')",
        "spark._jvm.java",
        "frame._jdf",
        "from delta.tables import DeltaTable",
        "DeltaTable.forPath(spark, path)",
        "frame.cache()",
        "isinstance(spark, SparkSession)",
    ],
)
def test_the_check_finds_what_connect_lacks(line):
    assert classic_only(f"x = 1\n    {line}\n") == [line]


def test_a_frame_is_persisted_only_behind_the_setting():
    users = [path.name for path in SOURCE.rglob("*.py") if ".persist(" in path.read_text()]
    assert users == ["persisted.py"]

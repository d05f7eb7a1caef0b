"""The platform's declarative pipelines, played: Apache Spark's own, and expectations as the vendor describes them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyspark import pipelines
from pyspark.pipelines.flow import AutoCdcFlow, Flow
from pyspark.pipelines.graph_element_registry import GraphElementRegistry
from pyspark.pipelines.output import Output
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

DROP, FAIL = "expect_all_or_drop", "expect_all_or_fail"


class UpdateError(RuntimeError):
    """An expectation that must hold did not: the update stops."""


def _expect(kind: str) -> Callable[[dict[str, str]], Callable[[Any], Any]]:
    def with_rules(rules: dict[str, str]) -> Callable[[Any], Any]:
        def decorated(query: Any) -> Any:
            query.expectations = {**getattr(query, "expectations", {}), kind: rules}
            return query

        return decorated

    return with_rules


EXPECTATIONS = {kind: _expect(kind) for kind in ("expect_all", DROP, FAIL)}
# What the platform offers under that name.
PLATFORM = SimpleNamespace(**{name: getattr(pipelines, name) for name in pipelines.__all__}, **EXPECTATIONS)


@dataclass
class Graph(GraphElementRegistry):
    """What Apache Spark's own decorators registered, and what came of it.

    Attributes:
        outputs: Datasets by name.
        flows: Their definitions by name.
        failed: By dataset, how many rows broke each expectation.
    """

    outputs: dict[str, Output] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)
    failed: dict[str, Counter[str]] = field(default_factory=dict)

    def register_output(self, output: Output) -> None:
        self.outputs[output.name] = output

    def register_flow(self, flow: Flow) -> None:
        self.flows[flow.name] = flow

    def register_auto_cdc_flow(self, flow: AutoCdcFlow) -> None:
        raise NotImplementedError

    def register_sql(self, sql_text: str, file_path: Path) -> None:
        raise NotImplementedError

    def update(self, spark: SparkSession) -> None:
        """Make every dataset in the order in which it was declared; each is a view afterwards."""
        for name, flow in self.flows.items():
            self._expected(name, flow).createOrReplaceTempView(name)

    def _expected(self, name: str, flow: Flow) -> DataFrame:
        rows, given = flow.func(), getattr(flow.func, "expectations", {})
        rules = {rule: sql for kind in given.values() for rule, sql in kind.items()}
        if not rules:
            return rows
        broken = (
            F.sum(F.expr(f"CASE WHEN {sql} THEN 0 ELSE 1 END")).alias(rule) for rule, sql in rules.items()
        )
        counted = rows.agg(*broken).collect()[0].asDict()
        self.failed[name] = Counter({rule: count for rule, count in counted.items() if count})
        stopping = sorted(given.get(FAIL, {}).keys() & self.failed[name].keys())
        if stopping:
            raise UpdateError(f"{name}: {', '.join(stopping)}")
        for sql in given.get(DROP, {}).values():
            rows = rows.where(sql)
        return rows

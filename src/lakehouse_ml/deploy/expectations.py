"""The contracts' rules as expectations of a declarative pipeline: the same names, the same SQL, the same rows."""

from collections.abc import Callable, Iterable
from typing import Any

from pyspark.sql import DataFrame

from lakehouse_ml.datasets.session import get_spark
from lakehouse_ml.lakehouse.contract import Action, Contract
from lakehouse_ml.lakehouse.quality import (
    checked_lines,
    first_of_revisions,
    line_rules,
    rejected,
    typed_lines,
)

Query = Callable[[], DataFrame]

# Nothing is lost in ours, so what the platform drops is quarantined beside it.
_DECORATORS: dict[Action, str] = {
    "warn": "expect_all",
    "quarantine": "expect_all_or_drop",
    "fail": "expect_all_or_fail",
}


class ExpectationsError(RuntimeError):
    """The pipelines of this session know no expectations."""


def expectations(contract: Contract) -> dict[str, dict[str, str]]:
    """The rules of a source's typed lines: SQL by name, by the decorator that takes them.

    A rule with the action ``fail`` stops the update there; here it rejects the whole file, and the others finish.
    """
    found: dict[str, dict[str, str]] = {decorator: {} for decorator in _DECORATORS.values()}
    for rule in line_rules(contract):
        found[_DECORATORS[rule.action]][rule.name] = rule.condition
    return found


def declare(pipelines: Any, contracts: Iterable[Contract], bronze: Callable[[str], DataFrame]) -> None:
    """Declare silver and quarantine of every source.

    For each: the view ``typed_<source>`` with the expectations, ``<source>`` with every record once, and
    ``quarantined_<source>`` with the lines that were dropped and the rules that they break.

    Args:
        pipelines: The platform's ``pyspark.pipelines``.
        contracts: The sources' silver contracts.
        bronze: Landed lines of a source: line, _file, _line_no, _commit_version.

    Raises:
        ExpectationsError: There are no expectations, e.g. in Apache Spark's own pipelines.
    """
    missing = [name for name in _DECORATORS.values() if not hasattr(pipelines, name)]
    if missing:
        raise ExpectationsError(
            f"these pipelines lack {', '.join(missing)}: expectations are the platform's, and Apache Spark has none; "
            f"`kedro run --pipelines ingestion` keeps the same rules anywhere"
        )
    for contract in contracts:
        _declare_source(pipelines, contract, bronze)


def _declare_source(pipelines: Any, contract: Contract, bronze: Callable[[str], DataFrame]) -> None:
    name, typed = contract.name, f"typed_{contract.name}"

    def typed_source() -> DataFrame:
        return typed_lines(bronze(name), contract)

    def accepted_source() -> DataFrame:
        return first_of_revisions(get_spark().read.table(typed), contract)

    def quarantined_source() -> DataFrame:
        return rejected(checked_lines(bronze(name), contract), name)

    pipelines.temporary_view(name=typed)(_expecting(pipelines, contract)(typed_source))
    pipelines.materialized_view(name=name, comment=contract.grain)(accepted_source)
    pipelines.materialized_view(name=f"quarantined_{name}")(quarantined_source)


def _expecting(pipelines: Any, contract: Contract) -> Callable[[Query], Query]:
    def decorated(query: Query) -> Query:
        for decorator, rules in expectations(contract).items():
            if rules:
                query = getattr(pipelines, decorator)(rules)(query)
        return query

    return decorated

"""The contract that a catalog entry names."""

from importlib import import_module

from kedro.io import DatasetError

from lakehouse_ml.lakehouse.contract import Contract


def contract_of(contracts: str, table: str) -> Contract:
    """The contract of ``<schema>.<table>``.

    Args:
        contracts: Dotted path of a mapping of contracts by table, e.g. ``lakehouse_ml.flights.CONTRACTS``.
        table: ``<schema>.<table>``.

    Raises:
        DatasetError: No such contract.
    """
    module, attribute = contracts.rsplit(".", 1)
    known: dict[str, Contract] = getattr(import_module(module), attribute)
    if table not in known:
        raise DatasetError(f"{contracts} has no contract for {table}; it has {', '.join(sorted(known))}")
    return known[table]

"""What every family module shares: how its contract is put together."""

from lakehouse_ml.flights.spine import KEY
from lakehouse_ml.lakehouse.contract import Column, Contract


def family_contract(name: str, *columns: Column) -> Contract:
    """Contract of ``gold.<name>``: the key and the family's features, one row per flight."""
    return Contract(
        table=f"gold.{name}", grain="flight", key=("key",), columns=(KEY, *columns), owner="data science"
    )


def feature(name: str, description: str, unit: str = "") -> Column:
    """A numeric feature; missing where nothing was known."""
    return Column(name, "double", description, required=False, unit=unit)


def category(name: str, description: str) -> Column:
    """A feature of few values."""
    return Column(name, "string", description, required=False)


def schema_of(contract: Contract) -> str:
    """The contract's columns as SQL."""
    return ", ".join(f"{column.name} {column.type}" for column in contract.columns)

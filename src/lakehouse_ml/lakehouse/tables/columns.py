"""Columns that several of these tables share."""

from lakehouse_ml.lakehouse.contract import Column

RUN_ID = Column("run_id", "string", "Run that wrote the row")
AS_OF = Column("as_of", "timestamp", "The run's now", unit="UTC")
WINDOW = Column("window", "struct<start:timestamp,end:timestamp>", "Days covered, end exclusive", unit="UTC")


def text(name: str, description: str, required: bool = True) -> Column:
    """A string column."""
    return Column(name, "string", description, required)


def number(name: str, description: str, type_: str = "double", required: bool = False) -> Column:
    """A numeric column; null where the value does not exist."""
    return Column(name, type_, description, required)

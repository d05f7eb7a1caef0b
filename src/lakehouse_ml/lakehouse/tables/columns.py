"""Columns that several of these tables share."""

from lakehouse_ml.lakehouse.contract import Column

RUN_ID = Column("run_id", "string", "Run that wrote the row")
AS_OF = Column("as_of", "timestamp", "The run's now", unit="UTC")
WINDOW = Column("window", "struct<start:timestamp,end:timestamp>", "Days covered, end exclusive", unit="UTC")

# Of the vendor's profiling tables.
GRANULARITY = Column("granularity", "string", "Length of the window, e.g. 1 day or 1 week")
MONITOR_VERSION = Column("monitor_version", "int", "Raised when the way of counting changes")
SLICE = (
    Column("slice_key", "string", "Expression of the slice; null: all rows", required=False),
    Column("slice_value", "string", "Value of the slice; null: all rows", required=False),
)


def text(name: str, description: str, required: bool = True) -> Column:
    """A string column."""
    return Column(name, "string", description, required)


def number(name: str, description: str, type_: str = "double", required: bool = False) -> Column:
    """A numeric column; null where the value does not exist."""
    return Column(name, type_, description, required)

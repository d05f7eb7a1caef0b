"""What every landed source shares: the columns that ingestion adds, and the shape of bronze and quarantine."""

from lakehouse_ml.lakehouse.contract import Column, Contract, ContractError, Rule

PUBLISHED_AT = Column(
    "published_at",
    "timestamp",
    "Moment from which the record could be known",
    unit="UTC",
    # Systems write their first or last day for a time that they do not know, and no lookback can be counted from it.
    rule="published_at BETWEEN TIMESTAMP'2000-01-01T00:00:00Z' AND TIMESTAMP'2100-01-01T00:00:00Z'",
)

PROVENANCE = (
    Column(
        "_revision", "string", "SHA-256 over all fields of the record: the same message has the same revision"
    ),
    Column("_file", "string", "Landing file, <source>/<period>.jsonl.gz"),
    Column("_line_no", "int", "Line in the landing file, from 1"),
    Column("_bronze_version", "bigint", "Delta version of the bronze table that brought the line"),
)


# Columns that ingestion puts beside the fields while it checks a line.
_TAKEN = {"line", "broken_rules", "warnings"}


def source_contract(
    name: str, grain: str, key: tuple[str, ...], fields: tuple[Column, ...], rules: tuple[Rule, ...] = ()
) -> Contract:
    """Contract of ``silver.<name>``: the record's fields, when it was published, and where it came from.

    A row is a record revision: corrections stand beside the record that they correct.

    Args:
        name: The source's name, as in the landing folder.
        grain: What one record is.
        key: Fields that identify the record; its revisions share them.
        fields: The record's fields without ``published_at``.
        rules: Rules over several fields.

    Raises:
        ContractError: A field has a name that ingestion needs.
    """
    taken = [field.name for field in fields if field.name in _TAKEN or field.name.startswith("_")]
    if taken:
        raise ContractError(f"silver.{name}: ingestion needs the name {', '.join(taken)}; rename the field")
    return Contract(
        table=f"silver.{name}",
        grain=f"{grain}; one row per revision",
        key=key,
        columns=(*fields, PUBLISHED_AT, *PROVENANCE),
        rules=rules,
        day="published_at",
        unique=("_revision",),
    )


def record_fields(contract: Contract) -> tuple[Column, ...]:
    """The columns that a landed line of this source carries."""
    added = {column.name for column in PROVENANCE}
    return tuple(column for column in contract.columns if column.name not in added)


def bronze_contract(source: str) -> Contract:
    """Contract of ``bronze.<source>``: every landed line verbatim.

    A file without lines, or one that cannot be read, is one row with ``_line_no`` 0.
    """
    return Contract(
        table=f"bronze.{source}",
        grain=f"landed line of {source}",
        key=("_file", "_line_no"),
        columns=(
            Column(
                "line",
                "string",
                "The line as it landed; null for a file without lines",
                required=False,
                # Whatever a source holds, its lines hold.
                privacy="restricted",
            ),
            Column("_file", "string", "Landing file, <source>/<period>.jsonl.gz"),
            Column("_line_no", "int", "Line in the landing file, from 1; 0 stands for the whole file"),
            Column("_ingested_at", "timestamp", "Wall clock of the ingestion", unit="UTC"),
        ),
    )


QUARANTINE = Contract(
    table="quarantine.lines",
    grain="rejected line",
    key=("source", "_file", "_line_no"),
    columns=(
        Column("source", "string", "Source of the line"),
        Column("_file", "string", "Landing file, <source>/<period>.jsonl.gz"),
        Column("_line_no", "int", "Line in the landing file, from 1; 0 stands for the whole file"),
        Column("line", "string", "The line as it landed", privacy="restricted"),
        Column("broken_rules", "array<string>", "Names of the rules that the line breaks"),
        Column("_bronze_version", "bigint", "Delta version of the bronze table that brought the line"),
    ),
)

"""What a Delta table is made with, as its contract has it: columns, partitions, comment and properties."""

import json
from collections.abc import Mapping

from lakehouse_ml.lakehouse.contract import Contract, sql_text

FINGERPRINT = "lakehouse_ml.contract"
# The rules as the contract has them: Delta words its constraints anew, so those do not tell what changed.
RULES = "lakehouse_ml.rules"
PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    # Models and predictions name versions, and a layer that is built again reads its input from the first one.
    "delta.logRetentionDuration": "interval 3650 days",
    # Platforms clean tables by themselves, too: where nothing is said, of what was removed a week ago.
    "delta.deletedFileRetentionDuration": "interval 3650 days",
}


def definition(contract: Contract, *, partitioned: bool) -> str:
    """What stands behind the table's name in ``CREATE TABLE`` and ``REPLACE TABLE``.

    Args:
        contract: Of the table.
        partitioned: By the contract's day.
    """
    partitions = f"PARTITIONED BY (`{contract.day}`)" if partitioned else ""
    checks = {f"delta.constraints.{name}": sql for name, sql in contract.checks.items()}
    own = {FINGERPRINT: contract.fingerprint, RULES: json.dumps(contract.checks)}
    own["delta.appendOnly"] = str(contract.append_only).lower()
    return (
        f"({contract.ddl}) USING delta {partitions} COMMENT {sql_text(contract.grain)} "
        f"TBLPROPERTIES ({listed(PROPERTIES | own | checks)})"
    )


def listed(properties: Mapping[str, str]) -> str:
    """Properties as SQL lists them."""
    return ", ".join(f"{sql_text(key)} = {sql_text(value)}" for key, value in properties.items())

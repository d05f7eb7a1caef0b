"""What a table promises: the one place where a column's name, type, unit, rule and privacy class stand."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Action = Literal["warn", "quarantine", "fail"]
Privacy = Literal["public", "internal", "restricted"]


class ContractError(ValueError):
    """A table, a frame or a line does not keep its contract; the message lists every difference at once."""


def sql_text(text: str) -> str:
    """A SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: snake_case, with the unit where there is one.
        type: Spark SQL type, e.g. ``string``, ``int``, ``double``, ``timestamp``, ``array<string>``.
        description: What the value means; becomes the column's comment.
        required: A missing value breaks the contract (NOT NULL).
        rule: SQL boolean over the row; a present value that fails it breaks the contract.
        unit: Unit or time zone.
        privacy: ``restricted`` columns never leave silver.
    """

    name: str
    type: str
    description: str
    required: bool = True
    rule: str | None = None
    unit: str = ""
    privacy: Privacy = "public"

    @property
    def ddl(self) -> str:
        """The column as it stands in ``CREATE TABLE``."""
        comment = f"{self.description} [{self.unit}]" if self.unit else self.description
        null = " NOT NULL" if self.required else ""
        return f"`{self.name}` {self.type}{null} COMMENT {sql_text(comment)}"


@dataclass(frozen=True)
class Rule:
    """A named SQL boolean that every row must fulfil; NULL counts as broken.

    Attributes:
        name: Names the broken rule in quarantine, log and alerts.
        sql: Boolean expression over the table's columns.
        action: ``warn`` lets the row pass, ``quarantine`` rejects the row, ``fail`` rejects its whole file.
    """

    name: str
    sql: str
    action: Action = "quarantine"

    @property
    def condition(self) -> str:
        """The rule as SQL that is never NULL."""
        return f"coalesce(({self.sql}), false)"


@dataclass(frozen=True)
class Contract:
    """What one table holds.

    Attributes:
        table: ``<schema>.<table>``.
        grain: What one row is; becomes the table's comment.
        key: Columns that identify what a row is about.
        columns: All columns in order.
        rules: Rules over several columns; one-column rules stand on the column.
        day: Column whose range finds the rows that a write can collide with, so that scans stay small.
        owner: Who answers for the table.
        unique: Columns that tell a row from all others, where several rows share a key; by default the key.
            Insert-only tables take each of their values once.
        append_only: Delta itself refuses to change or remove a row.
    """

    table: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    day: str | None = None
    owner: str = "data engineering"
    unique: tuple[str, ...] = ()
    append_only: bool = False

    @property
    def row_key(self) -> tuple[str, ...]:
        """Columns whose values no two rows share."""
        return self.unique or self.key

    @property
    def name(self) -> str:
        """The table's name without its schema."""
        return self.table.split(".", 1)[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def ddl(self) -> str:
        """The column list of ``CREATE TABLE``."""
        return ", ".join(column.ddl for column in self.columns)

    @property
    def row_rules(self) -> tuple[Rule, ...]:
        """Every rule a row must keep: required columns, column rules, then the rules over several columns."""
        present = [Rule(f"{c.name}_present", f"`{c.name}` IS NOT NULL") for c in self.columns if c.required]
        return (*present, *self._value_rules)

    @property
    def checks(self) -> dict[str, str]:
        """CHECK constraints of the table: every rule that rejects rows, but for those NOT NULL already states."""
        return {rule.name: rule.sql for rule in self._value_rules if rule.action != "warn"}

    @property
    def _value_rules(self) -> tuple[Rule, ...]:
        domain = [
            Rule(f"{c.name}_domain", f"`{c.name}` IS NULL OR ({c.rule})") for c in self.columns if c.rule
        ]
        return (*domain, *self.rules)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that a stored table must share with the code: keys, day, names, types, nullability."""
        columns = [(c.name, c.type, c.required) for c in self.columns]
        shape = [self.table, self.key, self.unique, self.day, columns]
        return hashlib.sha256(json.dumps(shape).encode()).hexdigest()

    def grew_from(self, types: Mapping[str, str], fingerprint: str) -> bool:
        """Whether a stored table differs in nothing but columns that it lacks, and that may be null.

        Args:
            types: Spark SQL type by column of the table, in its order. Columns that it was given since it was made
                stand last, and a killed call may have given it some.
            fingerprint: Of the contract that the table was last made to keep.
        """
        if any(types.get(column.name, column.type) != column.type for column in self.columns):
            return False
        shorter = (set(list(types)[:count]) for count in range(len(types) + 1))
        return any(self._without_new(known).fingerprint == fingerprint for known in shorter)

    def _without_new(self, known: Collection[str]) -> "Contract":
        return replace(self, columns=tuple(c for c in self.columns if c.required or c.name in known))

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            ContractError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.table} has no column {name}; it has {', '.join(self.names)}")

    def extended(self, *columns: Column, **changes: object) -> "Contract":
        """This contract with further columns at the end, and other attributes replaced."""
        return replace(self, columns=(*self.columns, *columns), **changes)  # type: ignore[arg-type]

    def check_columns(self, types: Mapping[str, str]) -> None:
        """Compare a frame's columns with the contract.

        Args:
            types: Spark SQL type by column name, e.g. ``dict(frame.dtypes)``.

        Raises:
            ContractError: Naming every missing, unknown and differently typed column.
        """
        differences = [
            *(f"{name}: missing" for name in self.names if name not in types),
            *(f"{name}: unknown" for name in types if name not in self.names),
            *(
                f"{c.name}: must be {c.type}, is {types[c.name]}"
                for c in self.columns
                if c.name in types and types[c.name] != c.type
            ),
        ]
        if differences:
            raise ContractError(f"{self.table} does not keep its contract: {'; '.join(differences)}")


def by_table(contracts: Iterable[Contract]) -> dict[str, Contract]:
    """Contracts by ``<schema>.<table>``.

    Raises:
        ContractError: Two contracts name the same table.
    """
    found: dict[str, Contract] = {}
    for contract in contracts:
        if contract.table in found:
            raise ContractError(f"{contract.table} is defined twice")
        found[contract.table] = contract
    return found

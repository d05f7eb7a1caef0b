"""From landed lines to typed records: parse by name, cast, and check every rule of the contract."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from operator import and_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Column, Contract, Rule, sql_text
from lakehouse_ml.lakehouse.landing import WHOLE_FILE
from lakehouse_ml.lakehouse.persisted import persisted
from lakehouse_ml.lakehouse.sources import record_fields

# Strict: a time without offset, or cut off after the day, is not a time. Parsing by pattern costs three times as much.
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"
_JSON_OPTIONS = {
    "allowSingleQuotes": "false",
    "allowUnquotedFieldNames": "false",
    "allowNonNumericNumbers": "false",
}
_NESTED = r"^[\[{]"
# What a checked line has beside the contract's columns.
_CHECKED = {"line": "string", "broken_rules": "array<string>", "warnings": "array<string>"}


# What comes first: of a line that breaks one of these nothing else is told.
_READABLE = (Rule("readable_file", f"_line_no <> {WHOLE_FILE}"), Rule("json_object", "_raw IS NOT NULL"))
_UNIQUE = Rule("unique_fields", "size(map_keys(_raw)) = size(array_distinct(map_keys(_raw)))")


def line_rules(contract: Contract) -> tuple[Rule, ...]:
    """Every rule that a line of :func:`typed_lines` is checked by: those of parsing, then those of the contract."""
    fields = record_fields(contract)
    typed = (
        Rule(f"{f.name}_type", f"_raw[{sql_text(f.name)}] IS NULL OR `{f.name}` IS NOT NULL") for f in fields
    )
    return (*_READABLE, _UNIQUE, *typed, *_landed(contract).row_rules)


def typed_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """Every landed line with its typed fields, whatever rules it breaks.

    Args:
        lines: Bronze rows: line, _file, _line_no, _commit_version.
        contract: The source's silver contract.

    Returns:
        One row per line (and per file that has none): the contract's columns, ``line``, ``_raw`` (map<string,string>,
        the fields as text; NULL where the line is no record).
    """
    fields = record_fields(contract)
    typed = _with_raw(lines.where("line IS NOT NULL")).select(
        "line",
        "_raw",
        "_file",
        "_line_no",
        F.col("_commit_version").alias("_bronze_version"),
        *(_typed(field).alias(field.name) for field in fields),
    )
    return typed.withColumn("_revision", _revision(fields)).select(*contract.names, "line", "_raw")


def checked_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """Every landed line with its typed fields and the names of the rules that it breaks.

    Args:
        lines: New bronze rows: line, _file, _line_no, _commit_version.
        contract: The source's silver contract.

    Returns:
        One row per line (and per file that has none): the contract's columns, ``line``, ``broken_rules``
        and ``warnings`` (array<string>, rule names; unknown and missing fields by name).
    """
    checked = typed_lines(lines, contract).withColumns(
        {"broken_rules": _broken(contract), "warnings": _warnings(contract)}
    )
    return persisted(_whole_files(checked, contract).select(*contract.names, *_CHECKED))


def no_checked_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """What :func:`checked_lines` gives of no lines; nothing is read or parsed for it.

    Args:
        lines: Bronze rows, of which none is taken.
        contract: The source's silver contract.
    """
    kinds = {column.name: column.type for column in contract.columns} | _CHECKED
    return lines.limit(0).select(*(F.lit(None).cast(kind).alias(name) for name, kind in kinds.items()))


def accepted(checked: DataFrame, contract: Contract) -> DataFrame:
    """The records that keep every rule, each revision once: the silver rows of the lines.

    Of lines that carry the same revision the one that landed first counts, see :func:`first_of_revisions`.
    """
    return first_of_revisions(checked.where(F.size("broken_rules") == 0), contract)


def first_of_revisions(records: DataFrame, contract: Contract) -> DataFrame:
    """Of records with the same revision the one that landed first, then in file order, with the contract's columns.

    So a row has the same origin whether lines come run by run or all at once, when a table is built again.
    """
    first = Window.partitionBy("_revision").orderBy("_bronze_version", "_file", "_line_no")
    return records.withColumn("_n", F.row_number().over(first)).where("_n = 1").select(*contract.names)


def rejected(checked: DataFrame, source: str) -> DataFrame:
    """The lines that break a rule: the quarantine rows of a source."""
    return checked.where(F.size("broken_rules") > 0).select(
        F.lit(source).alias("source"), "_file", "_line_no", "line", "broken_rules", "_bronze_version"
    )


def _with_raw(lines: DataFrame) -> DataFrame:
    """The lines with their fields as text by name; NULL where a line is not one JSON object and nothing else."""
    # Spark stops reading where the object ends: a second element shows that the line ended there, too.
    pair = F.concat(F.lit("["), "line", F.lit(",{}]"))
    parsed = lines.withColumn("_pair", F.from_json(pair, "array<map<string,string>>", _JSON_OPTIONS))
    return parsed.withColumn("_raw", F.when(F.size("_pair") == 2, F.col("_pair")[0]))


def _typed(field: Column) -> SparkColumn:
    """The field's value; NULL where its text is none of its type. Numbers may come as text."""
    value = F.col("_raw")[field.name]
    if field.type == "timestamp":
        return F.when(value.rlike(_ISO_8601), value.try_cast("timestamp"))
    if field.type == "double":
        # Times zero, infinity and NaN give NaN.
        return F.when(value.try_cast("double") * 0 == 0, value.try_cast("double"))
    if field.type == "string":
        is_nested = value.rlike(_NESTED) & F.get_json_object(value, "$").isNotNull()
        return F.when(~is_nested, value)
    if field.type.startswith("map<"):
        return F.from_json(value, field.type, _JSON_OPTIONS)
    return value.try_cast(field.type)


def _revision(fields: tuple[Column, ...]) -> SparkColumn:
    """Hash over the typed fields, whatever their order in the line; a missing field counts as null."""
    # As text, a time would lose its microseconds.
    values = (F.unix_micros(f.name).alias(f.name) if f.type == "timestamp" else F.col(f.name) for f in fields)
    return F.sha2(F.to_json(F.struct(*values)), 256)


def _broken(contract: Contract) -> SparkColumn:
    readable, is_object = (F.expr(rule.condition) for rule in _READABLE)
    unreadable = F.when(~readable, "readable_file").when(~is_object, "json_object")
    kept = _kept(line_rules(contract)[len(_READABLE) :], warns=False)
    return F.when(unreadable.isNotNull(), F.array(unreadable)).otherwise(_names_of_broken(kept))


def _warnings(contract: Contract) -> SparkColumn:
    expected = F.array(*(F.lit(field.name) for field in record_fields(contract)))
    present = F.map_keys("_raw")
    unknown = F.transform(
        F.array_except(present, expected), lambda name: F.concat(F.lit("unknown_field:"), name)
    )
    missing = F.transform(
        F.array_except(expected, present), lambda name: F.concat(F.lit("missing_field:"), name)
    )
    # Nearly every line has the fields in order, and comparing two arrays costs less than building two.
    names = F.when(present == expected, _none()).otherwise(F.coalesce(F.concat(unknown, missing), _none()))
    warned = F.concat(names, _names_of_broken(_kept(line_rules(contract), warns=True)))
    return F.when(F.col("_raw").isNull(), _none()).otherwise(warned)


def _names_of_broken(kept: dict[str, SparkColumn]) -> SparkColumn:
    """Names of the conditions that are not true; nearly every line keeps all, which one conjunction tells."""
    if not kept:
        return _none()
    names = F.array_compact(F.array(*(F.when(~condition, name) for name, condition in kept.items())))
    return F.when(reduce(and_, kept.values()), _none()).otherwise(names)


def _none() -> SparkColumn:
    return F.array().cast("array<string>")


def _kept(rules: Iterable[Rule], warns: bool) -> dict[str, SparkColumn]:
    return {rule.name: F.expr(rule.condition) for rule in rules if (rule.action == "warn") == warns}


def _landed(contract: Contract) -> Contract:
    """The contract without the columns that ingestion adds: no landed line can break their rules."""
    return replace(contract, columns=record_fields(contract))


def _whole_files(checked: DataFrame, contract: Contract) -> DataFrame:
    """Reject every line of a file in which one line breaks a rule with the action ``fail``."""
    failing = [rule.name for rule in contract.rules if rule.action == "fail"]
    if not failing:
        return checked
    breaks = F.arrays_overlap("broken_rules", F.array(*(F.lit(name) for name in failing)))
    in_file = F.max(breaks).over(Window.partitionBy("_file"))
    with_file = F.array_union("broken_rules", F.array(F.lit("failed_file")))
    return checked.withColumn("broken_rules", F.when(in_file, with_file).otherwise(F.col("broken_rules")))

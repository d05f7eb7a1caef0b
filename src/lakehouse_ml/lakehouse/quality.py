"""From landed lines to typed records: parse by name, cast, and check every rule of the contract."""

from dataclasses import replace
from functools import reduce
from operator import and_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Column, Contract
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


def checked_lines(lines: DataFrame, contract: Contract) -> DataFrame:
    """Every landed line with its typed fields and the names of the rules that it breaks.

    Args:
        lines: New bronze rows: line, _file, _line_no, _commit_version.
        contract: The source's silver contract.

    Returns:
        One row per line (and per file that has none): the contract's columns, ``line``, ``broken_rules``
        and ``warnings`` (array<string>, rule names; unknown and missing fields by name).
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
    checked = typed.withColumn("_revision", _revision(fields)).withColumns(
        {"broken_rules": _broken(contract, fields), "warnings": _warnings(contract, fields)}
    )
    return persisted(
        _whole_files(checked, contract).select(*contract.names, "line", "broken_rules", "warnings")
    )


def accepted(checked: DataFrame, contract: Contract) -> DataFrame:
    """The records that keep every rule, each revision once: the silver rows of the lines.

    Of lines that carry the same revision the first in file order counts.
    """
    first = Window.partitionBy("_revision").orderBy("_file", "_line_no")
    valid = checked.where(F.size("broken_rules") == 0)
    return valid.withColumn("_n", F.row_number().over(first)).where("_n = 1").select(*contract.names)


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


def _broken(contract: Contract, fields: tuple[Column, ...]) -> SparkColumn:
    unreadable = F.when(F.col("_line_no") == WHOLE_FILE, "readable_file").when(
        F.col("_raw").isNull(), "json_object"
    )
    names = F.map_keys("_raw")
    kept = {"unique_fields": F.size(names) == F.size(F.array_distinct(names))}
    kept |= {f"{f.name}_type": F.col("_raw")[f.name].isNull() | F.col(f.name).isNotNull() for f in fields}
    kept |= _kept(contract, fields, warns=False)
    return F.when(unreadable.isNotNull(), F.array(unreadable)).otherwise(_names_of_broken(kept))


def _warnings(contract: Contract, fields: tuple[Column, ...]) -> SparkColumn:
    expected = F.array(*(F.lit(field.name) for field in fields))
    present = F.map_keys("_raw")
    unknown = F.transform(
        F.array_except(present, expected), lambda name: F.concat(F.lit("unknown_field:"), name)
    )
    missing = F.transform(
        F.array_except(expected, present), lambda name: F.concat(F.lit("missing_field:"), name)
    )
    # Nearly every line has the fields in order, and comparing two arrays costs less than building two.
    names = F.when(present == expected, _none()).otherwise(F.coalesce(F.concat(unknown, missing), _none()))
    warned = F.concat(names, _names_of_broken(_kept(contract, fields, warns=True)))
    return F.when(F.col("_raw").isNull(), _none()).otherwise(warned)


def _names_of_broken(kept: dict[str, SparkColumn]) -> SparkColumn:
    """Names of the conditions that are not true; nearly every line keeps all, which one conjunction tells."""
    if not kept:
        return _none()
    names = F.array_compact(F.array(*(F.when(~condition, name) for name, condition in kept.items())))
    return F.when(reduce(and_, kept.values()), _none()).otherwise(names)


def _none() -> SparkColumn:
    return F.array().cast("array<string>")


def _kept(contract: Contract, fields: tuple[Column, ...], warns: bool) -> dict[str, SparkColumn]:
    """Conditions that a landed line can break, by name; those of columns that ingestion adds cannot be."""
    names = {field.name for field in fields}
    own = replace(contract, columns=tuple(column for column in contract.columns if column.name in names))
    return {
        rule.name: F.coalesce(F.expr(rule.sql), F.lit(False))
        for rule in own.row_rules
        if (rule.action == "warn") == warns
    }


def _whole_files(checked: DataFrame, contract: Contract) -> DataFrame:
    """Reject every line of a file in which one line breaks a rule with the action ``fail``."""
    failing = [rule.name for rule in contract.rules if rule.action == "fail"]
    if not failing:
        return checked
    breaks = F.arrays_overlap("broken_rules", F.array(*(F.lit(name) for name in failing)))
    in_file = F.max(breaks).over(Window.partitionBy("_file"))
    with_file = F.array_union("broken_rules", F.array(F.lit("failed_file")))
    return checked.withColumn("broken_rules", F.when(in_file, with_file).otherwise(F.col("broken_rules")))

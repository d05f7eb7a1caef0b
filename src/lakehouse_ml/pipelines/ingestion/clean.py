"""Bronze lines to silver records and quarantined lines."""

from functools import reduce

from pyspark.sql import DataFrame

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.landing import LandedFile
from lakehouse_ml.lakehouse.quality import accepted, checked_lines, no_checked_lines, rejected
from lakehouse_ml.pipelines.ingestion.new_files import has_new_lines


def clean(
    new_bronze: DataFrame, new_files: list[LandedFile], contract: Contract
) -> tuple[DataFrame, DataFrame]:
    """The source's new lines, checked; and of these the records that keep every rule, for silver.

    Args:
        new_bronze: ``bronze_<source>@new``: line, _file, _line_no, _commit_version.
        new_files: Files that are not in the ingestion log: lines of all others are in silver and quarantine already.
        contract: The source's silver contract.
    """
    # Most runs bring nothing of most sources, and to check no lines takes Spark as long as to check a few.
    check = checked_lines if has_new_lines(new_files, contract.name) else no_checked_lines
    checked = check(new_bronze, contract)
    return checked, accepted(checked, contract)


def quarantine(*checked: DataFrame, sources: tuple[str, ...]) -> DataFrame:
    """The rejected lines of all sources, with the names of the rules that they break.

    Args:
        *checked: Checked lines, one frame per source.
        sources: The sources' names, in the same order.
    """
    rows = (rejected(frame, source) for frame, source in zip(checked, sources, strict=True))
    return reduce(DataFrame.unionByName, rows)

"""Fixtures of the use case: the clean records of the year, and contract rules without Spark."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lakehouse_ml.flights.feed import feed_records


@pytest.fixture(scope="session")
def year() -> dict[str, pd.DataFrame]:
    """Clean records of the whole year by source; tests must not change them."""
    return feed_records()


@pytest.fixture(scope="session")
def keeps_rule() -> Callable[[str, "pd.Series"], "pd.Series"]:
    """Which values keep a one-column rule; an unknown form of rule is an error, never a pass."""

    def keeps(rule: str, values: pd.Series) -> pd.Series:
        if match := re.fullmatch(r"\w+ BETWEEN TIMESTAMP'(\S+)' AND TIMESTAMP'(\S+)'", rule):
            return pd.to_datetime(values, utc=True).between(*map(pd.Timestamp, match.groups()))
        if match := re.fullmatch(r"(\w+) = date_trunc\('(MINUTE|HOUR)', \1\)", rule):
            moments = pd.to_datetime(values, utc=True)
            return moments == moments.dt.floor({"MINUTE": "min", "HOUR": "h"}[match[2]])
        if match := re.fullmatch(r"\w+ BETWEEN (\S+) AND (\S+)", rule):
            return values.between(float(match[1]), float(match[2]))
        if match := re.fullmatch(r"\w+ RLIKE '(.*)'", rule):
            return values.str.contains(match[1], regex=True)
        if match := re.fullmatch(r"\w+ IN \((.*)\)", rule):
            return values.isin(re.findall(r"'([^']*)'", match[1]))
        raise AssertionError(f"teach this fixture the rule {rule}")

    return keeps


@pytest.fixture(scope="session")
def weeks(year: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A thin slice of the feed around the day in March on which the clocks change, snapshots included."""
    first, last = pd.Timestamp("2013-03-04", tz="UTC"), pd.Timestamp("2013-03-18", tz="UTC")
    spans = {source: records["published_at"].between(first, last) for source, records in year.items()}
    thin = {
        source: (records[spans[source]] if spans[source].any() else records).iloc[::40]
        for source, records in year.items()
    }
    return thin | {"airlines": year["airlines"]}


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every visible file below a folder with its bytes; a partial one is an error where none is expected."""

    def files(folder: Path) -> dict[str, bytes]:
        found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    return files

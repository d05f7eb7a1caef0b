"""Regions of the destinations, and the route."""

import pytest

from lakehouse_ml.flights.features.regions import UNLISTED, with_region
from lakehouse_ml.flights.features.route import CONTRACT, route

AIRPORTS = "airport string, latitude double, longitude double, published_at timestamp, _revision string"


@pytest.fixture(scope="module")
def airports(spark):
    return spark.sql(
        f"SELECT * FROM VALUES ('ORD', 41.98D, -87.9D, TIMESTAMP '2012-12-30', 'r1'), "
        f"('ORD', 31.0D, -87.9D, TIMESTAMP '2013-02-01', 'r2'), ('ORD', 36.0D, -87.9D, TIMESTAMP '2013-02-01', 'r1') "
        f"AS airports({', '.join(column.split()[0] for column in AIRPORTS.split(', '))})"
    )


@pytest.mark.parametrize(
    ("destination", "at", "region"),
    [
        ("ORD", "2013-01-31 23:59:59", "40/-88"),
        ("ORD", "2013-02-01", "30/-88"),
        ("ORD", "2012-12-29", UNLISTED),
        ("SJU", "2013-02-01", UNLISTED),
    ],
)
def test_gives_the_field_of_the_grid_as_known_at_the_instant(spark, airports, destination, at, region):
    flights = spark.sql(f"SELECT '{destination}' AS destination, unix_micros(TIMESTAMP '{at}') AS at_us")
    assert [row["region"] for row in with_region(flights, airports, "at_us").collect()] == [region]


def test_describes_the_route(spark, airports):
    flights = spark.sql(
        "SELECT 'k' AS key, 'UA' AS carrier, 'EWR' AS origin, 'ORD' AS destination, 719 AS distance_miles, "
        "TIMESTAMP '2013-01-01' AS predict_at"
    )
    built = route(flights, airports)
    CONTRACT.check_columns(dict(built.dtypes))
    assert built.select(*CONTRACT.names).first() == ("k", "UA", "EWR", "ORD", "40/-88", 719.0)

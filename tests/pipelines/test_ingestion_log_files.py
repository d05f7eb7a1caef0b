"""What the ingestion log counts of the tables that it looks into."""

from lakehouse_ml.pipelines.ingestion.log_files import rejected_lines


def test_only_the_files_asked_about_are_counted(spark):
    rejected = [("weather/old", 1), ("weather/new", 1), ("weather/new", 2)]
    quarantined = spark.createDataFrame(rejected, "_file string, _line_no int")
    found = rejected_lines(quarantined, ["weather/new", "weather/clean"])
    assert [tuple(row) for row in found.collect()] == [("weather/new", 2)]

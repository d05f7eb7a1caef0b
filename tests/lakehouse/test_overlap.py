from datetime import date

from lakehouse_ml.lakehouse.overlap import Touched, all_overlapping, overlapping

STORED = [(date(2013, 1, day), day) for day in range(1, 10)]


def frame(spark, rows):
    return spark.createDataFrame(rows, "day date, number int")


def numbers(found):
    return sorted(row["number"] for row in found.collect())


def test_only_what_lies_within_the_days_of_the_new_rows_can_be_touched(spark):
    new = frame(spark, [(date(2013, 1, 3), 0), (date(2013, 1, 5), 0)])
    assert numbers(overlapping(frame(spark, STORED), new, "day")) == [3, 4, 5]


def test_of_several_tables_each_has_its_own_days(spark):
    stored, none = frame(spark, STORED), frame(spark, [])
    early, late = frame(spark, [(date(2013, 1, 1), 0)]), frame(spark, [(date(2013, 1, 9), 0)])
    touched = [Touched(stored, late, "day"), Touched(stored, none, "day"), Touched(stored, none, None)]
    touched += [Touched(stored, early, "day"), Touched(stored, early, None)]
    found = all_overlapping(touched)
    assert [part and numbers(part) for part in found] == [[9], None, None, [1], list(range(1, 10))]

"""Landed lines to records: every damage is named, and nothing is lost. Spark runs once over all lines of a contract."""

import json
from dataclasses import replace
from random import Random

import pytest
from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Rule
from lakehouse_ml.lakehouse.quality import accepted, checked_lines, no_checked_lines, rejected
from line_builders import GOOD, LINES, READINGS, good, landed

WARNINGS = {
    "unknown field": ["unknown_field:colour"],
    "optional field missing": ["missing_field:note"],
    "warned": ["usual_count"],
    "rule over several": ["usual_count"],
    "rule over several with a null": ["usual_count"],
    "required field missing": ["missing_field:sensor"],
    "too large for an integer": ["usual_count"],
    "text for a number": ["usual_count"],
    "fraction for an integer": ["usual_count"],
    "other case of a name": ["unknown_field:SENSOR", "unknown_field:Sensor", "missing_field:sensor"],
    "empty object": [*(f"missing_field:{name}" for name in GOOD), "usual_count"],
}
SAME_RECORD = (
    "sound",
    "other order of fields",
    "spaces and the line end of other systems",
    "number as text",
    "offset",
    "unknown field",
)


@pytest.fixture(scope="module")
def checked(spark) -> dict[str, Row]:
    rows = checked_lines(landed(spark, [line for line, _ in LINES.values()]), READINGS).collect()
    numbers = dict(enumerate(LINES, start=1))
    return {numbers[row["_line_no"]]: row for row in rows}


def test_no_lines_have_the_columns_of_checked_ones(spark):
    lines = landed(spark, [good()])
    assert no_checked_lines(lines, READINGS).dtypes == checked_lines(lines, READINGS).dtypes
    assert no_checked_lines(lines, READINGS).isEmpty()


@pytest.mark.parametrize("case", LINES)
def test_every_damage_is_named(checked, case):
    assert checked[case]["broken_rules"] == LINES[case][1]


@pytest.mark.parametrize("case", LINES)
def test_what_only_warns_is_named_beside(checked, case):
    assert checked[case]["warnings"] == WARNINGS.get(case, [])


def test_every_line_is_there_as_it_landed_with_its_place(checked):
    assert {case: row["line"] for case, row in checked.items()} == {
        case: line for case, (line, _) in LINES.items()
    }
    assert {(row["_file"], row["_bronze_version"]) for row in checked.values()} == {
        ("readings/2013-01-01.jsonl.gz", 7)
    }


def test_a_sound_line_is_typed(checked):
    row = checked["sound"]
    assert (row["sensor"], row["count"], row["level"], row["note"]) == ("A", 3, 0.5, "calm")


def test_values_by_name_are_the_same_values(checked):
    # Spark may write a number in other digits: 1.0E-5.
    tags = checked["values by name"]["tags"]
    assert (float(tags.pop("a")), tags) == (1e-05, {"b": None, "c": "[x]"})


def test_the_same_record_has_one_revision_however_it_is_written(checked):
    assert len({checked[case]["_revision"] for case in SAME_RECORD}) == 1


def test_a_missing_field_is_the_same_record_as_a_null_one(checked):
    assert checked["optional field missing"]["_revision"] == checked["optional field null"]["_revision"]


@pytest.mark.parametrize("case", ["microsecond", "optional field null", "warned", "text that looks nested"])
def test_another_value_is_another_revision(checked, case):
    assert checked[case]["_revision"] != checked["sound"]["_revision"]


@pytest.fixture(scope="module")
def files(spark) -> dict[str, list[Row]]:
    """Three files under a contract whose rule over several fields rejects whole files, and one unreadable file."""
    strict = replace(READINGS, rules=(Rule("level_of_busy", "count < 100 OR level > 1", action="fail"),))
    lines = landed(spark, [good(), good(), "{", good(count=2)], "readings/a.jsonl.gz")
    lines = lines.union(landed(spark, [good(), good(count=200), "{"], "readings/b.jsonl.gz"))
    lines = lines.union(landed(spark, ["no gzip"], "readings/c.jsonl.gz", first=0))
    lines = lines.union(landed(spark, [None], "readings/d.jsonl.gz", first=0))
    checked = checked_lines(lines, strict)
    return {
        "checked": checked.orderBy("_file", "_line_no").collect(),
        "accepted": accepted(checked, strict).orderBy("_file", "_line_no").collect(),
        "rejected": rejected(checked, "readings").orderBy("_file", "_line_no").collect(),
    }


def places(rows: list[Row]) -> list[tuple[str, int]]:
    return [(row["_file"].split("/")[1][0], row["_line_no"]) for row in rows]


def test_a_revision_is_accepted_once_the_first_in_file_order(files):
    assert places(files["accepted"]) == [("a", 1), ("a", 4)]


def test_of_a_revision_that_came_twice_the_line_that_landed_first_counts_whatever_its_file_is_called(spark):
    late = landed(spark, [good(), good(count=2)], "readings/a.jsonl.gz").withColumn(
        "_commit_version", F.lit(9)
    )
    lines = landed(spark, [good()], "readings/b.jsonl.gz").unionByName(late)
    taken = accepted(checked_lines(lines, READINGS), READINGS)
    assert places(taken.orderBy("_file").collect()) == [("a", 2), ("b", 1)]


def test_a_rule_with_the_action_fail_rejects_its_whole_file_and_no_other(files):
    broken = {
        place: row["broken_rules"]
        for place, row in zip(places(files["rejected"]), files["rejected"], strict=True)
    }
    assert broken == {
        ("a", 3): ["json_object"],
        ("b", 1): ["failed_file"],
        ("b", 2): ["level_of_busy", "failed_file"],
        ("b", 3): ["json_object", "failed_file"],
        ("c", 0): ["readable_file"],
    }


def test_a_rejected_line_is_kept_verbatim_with_its_source(files):
    row = next(row for row in files["rejected"] if row["_line_no"] == 0)
    assert (row["source"], row["line"], row["_bronze_version"]) == ("readings", "no gzip", 7)


def test_a_file_without_lines_has_none_to_check(files):
    assert ("d", 0) not in places(files["checked"])


TOKENS = (
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "null",
    "NaN",
    "1e9",
    "-",
    "\t",
    "\0",
    "\u2028",
    "é",
    "🛬",
    "/*",
    "#",
)
VALUES = (
    None,
    True,
    -1,
    0.1,
    2**40,
    "",
    "3",
    [1],
    {"a": 1},
    "2013-01-01T10:00:00Z",
    "2013-01-01",
    "NaN",
    "\ud83d\ude00",
)


def damaged(random: Random) -> str:
    """A sound line after a few random changes of values and of characters."""
    line = good(**{name: random.choice(VALUES) for name in random.sample([*GOOD, "x"], random.randrange(3))})
    for _ in range(random.randrange(4)):
        start = random.randrange(len(line) + 1)
        line = line[:start] + random.choice(("", *TOKENS)) + line[start + random.randrange(3) :]
    return line if random.random() < 0.8 else line + random.choice((line, *TOKENS))


def test_no_line_stops_the_others_and_each_is_accepted_or_rejected_by_name(spark):
    random = Random(20130101)
    lines = [damaged(random) for _ in range(3000)]
    checked = checked_lines(landed(spark, lines), READINGS)
    rows = checked.select("line", "_line_no", "broken_rules", "sensor", "count", "note").collect()
    assert sorted(row["_line_no"] for row in rows) == list(range(1, len(lines) + 1))
    sound = [row for row in rows if row["broken_rules"] == []]
    assert 200 < len(sound) < 2500
    assert all(row["line"] == lines[row["_line_no"] - 1] for row in rows)
    # An independent reader agrees on every record that passes.
    for row in sound:
        record = json.loads(row["line"])
        assert (row["sensor"], row["count"]) == (record["sensor"], int(record["count"]))
        assert row["note"] is None or not isinstance(record["note"], dict | list)


def test_a_null_never_slips_through_any_rule_of_any_shape(spark):
    shapes = ("level > 1", "NOT (level > 1)", "level IN (1, 2)", "level BETWEEN 1 AND 2", "note LIKE '%'")
    rules = tuple(Rule(f"shape_{i}", sql) for i, sql in enumerate(shapes))
    checked = checked_lines(landed(spark, [good(level=None, note=None)]), replace(READINGS, rules=rules))
    assert checked.select(F.size("broken_rules")).collect()[0][0] == len(shapes)

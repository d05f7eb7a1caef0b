"""Landed lines to records: every damage is named, and nothing is lost. Spark runs once over all lines of a contract."""

import json
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.contract import Column, Rule
from lakehouse_ml.lakehouse.quality import accepted, checked_lines, rejected
from lakehouse_ml.lakehouse.sources import source_contract

READINGS = source_contract(
    "readings",
    grain="reading",
    key=("sensor", "read_at"),
    fields=(
        Column("sensor", "string", "Name", rule="sensor RLIKE '^[A-Z]+$'"),
        Column("read_at", "timestamp", "Moment", unit="UTC"),
        Column("count", "int", "Events", rule="count >= 0"),
        Column("level", "double", "Level", required=False),
        Column("note", "string", "Remark", required=False),
        Column("tags", "map<string,string>", "Further values by name", required=False),
    ),
    rules=(
        Rule("level_of_busy", "count < 100 OR level > 1"),
        Rule("usual_count", "count < 50", action="warn"),
    ),
)
GOOD = {
    "sensor": "A",
    "read_at": "2013-01-01T10:00:00Z",
    "count": 3,
    "level": 0.5,
    "note": "calm",
    "tags": {"height": 1.5},
    "published_at": "2013-01-01T11:00:00Z",
}


def good(**changes: object) -> str:
    return json.dumps(GOOD | changes)


def without(*names: str) -> str:
    return json.dumps({name: value for name, value in GOOD.items() if name not in names})


LINES: dict[str, tuple[str, list[str]]] = {
    "sound": (good(), []),
    "other order of fields": (json.dumps(dict(reversed(GOOD.items()))), []),
    "spaces and the line end of other systems": (f" {good()} \r", []),
    "number as text": (good(count="3"), []),
    "offset": (good(read_at="2013-01-01T05:00:00-05:00"), []),
    "optional field null": (good(note=None), []),
    "optional field missing": (without("note"), []),
    "text that looks nested": (good(note="[calm]"), []),
    "values by name": (good(tags={"a": 1e-05, "b": None, "c": "[x]"}), []),
    "text for values by name": (good(tags="calm"), ["tags_type"]),
    "list for values by name": (good(tags=["calm"]), ["tags_type"]),
    "unknown field": (good(colour="red"), []),
    "warned": (good(count=60), []),
    "microsecond": (good(published_at="2013-01-01T11:00:00.000001Z"), []),
    "broken": (good()[:-5], ["json_object"]),
    "array": (f"[{good()}]", ["json_object"]),
    "two records": (good() + good(count=4), ["json_object"]),
    "two records in a list": (f"{good()},{good(count=4)}", ["json_object"]),
    "closed once too often": (good() + "}", ["json_object"]),
    "closed as a list": (good() + "]", ["json_object"]),
    "rubbish behind": (good() + " x", ["json_object"]),
    "comment": (good() + " // x", ["json_object"]),
    "single quotes": (good().replace('"', "'"), ["json_object"]),
    "NaN": (good(level=float("nan")), ["json_object"]),
    "null": ("null", ["json_object"]),
    "blank": ("", ["json_object"]),
    "spaces": ("   ", ["json_object"]),
    "number": ("5", ["json_object"]),
    "empty object": (
        "{}",
        ["sensor_present", "read_at_present", "count_present", "published_at_present", "level_of_busy"],
    ),
    "same field twice": (good()[:-1] + ',"count":4}', ["unique_fields"]),
    "text for a number": (good(count="many"), ["count_type", "count_present", "level_of_busy"]),
    "fraction for an integer": (good(count=10.5), ["count_type", "count_present", "level_of_busy"]),
    "too large for an integer": (good(count=2**31), ["count_type", "count_present", "level_of_busy"]),
    "true for a number": (good(level=True), ["level_type"]),
    "NaN as text": (good(level="NaN"), ["level_type"]),
    "infinity as text": (good(level="-Infinity"), ["level_type"]),
    "larger than any double": (good()[:-1].replace("0.5", "1e999") + "}", ["level_type"]),
    "time without offset": (good(read_at="2013-01-01T10:00:00"), ["read_at_type", "read_at_present"]),
    "day only": (good(read_at="2013-01-01"), ["read_at_type", "read_at_present"]),
    "no such day": (good(read_at="2013-02-30T10:00:00Z"), ["read_at_type", "read_at_present"]),
    "number for a time": (good(read_at=1357034400), ["read_at_type", "read_at_present"]),
    "nested in text": (good(note={"words": "calm"}), ["note_type"]),
    "list in text": (good(note=["calm"]), ["note_type"]),
    "nested in a number": (good(level={"value": 1}), ["level_type"]),
    "null in required": (good(sensor=None), ["sensor_present"]),
    "required field missing": (without("sensor"), ["sensor_present"]),
    "other case of a name": (good(Sensor="A").replace('"sensor"', '"SENSOR"'), ["sensor_present"]),
    "impossible value": (good(count=-1), ["count_domain"]),
    "empty text": (good(sensor=""), ["sensor_domain"]),
    "rule over several": (good(count=100, level=1.0), ["level_of_busy"]),
    "rule over several with a null": (good(count=100, level=None), ["level_of_busy"]),
    "all at once": (
        good(sensor="a", count=-1, read_at=None),
        ["read_at_present", "sensor_domain", "count_domain"],
    ),
}
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


def landed(spark, lines: Iterable[str | None], file: str = "readings/2013-01-01.jsonl.gz", first: int = 1):
    rows = [(line, file, number, 7) for number, line in enumerate(lines, start=first)]
    return spark.createDataFrame(rows, "line string, _file string, _line_no int, _commit_version bigint")


@pytest.fixture(scope="module")
def checked(spark) -> dict[str, Row]:
    rows = checked_lines(landed(spark, [line for line, _ in LINES.values()]), READINGS).collect()
    numbers = dict(enumerate(LINES, start=1))
    return {numbers[row["_line_no"]]: row for row in rows}


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

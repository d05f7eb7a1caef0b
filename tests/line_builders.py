"""Landed lines, sound and damaged, with the rules that each of them breaks."""

import json
from collections.abc import Iterable

from lakehouse_ml.lakehouse.contract import Column, Rule
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


def landed(spark, lines: Iterable[str | None], file: str = "readings/2013-01-01.jsonl.gz", first: int = 1):
    rows = [(line, file, number, 7) for number, line in enumerate(lines, start=first)]
    return spark.createDataFrame(rows, "line string, _file string, _line_no int, _commit_version bigint")

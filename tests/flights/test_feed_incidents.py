"""Incidents of some days: what differs from the clean feed is in the manifest, and nothing else differs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from incident_builders import RENAMED, RESENT, SCALED, SILENT
from lakehouse_ml.flights.feed import Damage, FeedError, Incidents, Mess, Window, publish
from lakehouse_ml.incidents import read_incidents

pytestmark = pytest.mark.slow

START, END = pd.Timestamp("2012-12-30", tz="UTC"), pd.Timestamp("2013-03-20", tz="UTC")
EVERYTHING = "\n".join(f"- {text[1:-1]}" for text in (SILENT, RENAMED, SCALED, RESENT))
DAYS = ("2013-03-08", "2013-03-09", "2013-03-10")

Records = dict[str, pd.DataFrame]


def damage(text: str) -> Damage:
    return Incidents(read_incidents(text))


def land(
    records: Records, folder: Path, text: str, until: pd.Timestamp = END, start: pd.Timestamp = START
) -> Path:
    list(publish(records, folder, Window(start, until, "day"), damage(text)))
    return folder


def files_of(folder: Path, source: str) -> dict[str, list[str]]:
    found = sorted((folder / source).glob("*.jsonl.gz"))
    return {
        file.name.split(".")[0]: gzip.decompress(file.read_bytes()).decode().splitlines() for file in found
    }


def records_in(folder: Path, source: str) -> list[dict[str, Any]]:
    return [json.loads(line) for lines in files_of(folder, source).values() for line in lines]


@pytest.fixture(scope="module")
def clean(weeks: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return land(weeks, tmp_path_factory.mktemp("clean"), "")


def test_a_silent_source_sends_what_was_missed_with_its_first_file(
    weeks: Records, clean: Path, tmp_path: Path
) -> None:
    back = pd.Timestamp("2013-03-12", tz="UTC")
    before = land(weeks, tmp_path, SILENT, until=back - pd.Timedelta(seconds=1))
    assert not set(DAYS) & set(files_of(before, "weather"))
    assert set(DAYS) <= set(files_of(before, "timetable"))
    after = land(weeks, tmp_path, SILENT, start=back - pd.Timedelta(seconds=1))
    assert files_of(after, "weather") == files_of(clean, "weather")
    entries = json.loads((after / "_manifest.json").read_text())["files"]
    assert [(entry["file"][:10], entry["arrives_at"]) for entry in entries] == [
        (day, "2013-03-12T00:00:00Z") for day in DAYS
    ]


def test_a_carrier_renamed_is_renamed_in_all_its_sources_and_only_then(
    weeks: Records, clean: Path, tmp_path: Path
) -> None:
    folder = land(weeks, tmp_path, RENAMED)
    for source in ("timetable", "movements"):
        renamed = [record for record in records_in(folder, source) if record["carrier"] == "ZZ"]
        assert renamed
        assert {record["published_at"][:10] for record in renamed} <= set(DAYS)
        assert not [
            record
            for record in records_in(folder, source)
            if record["carrier"] == "UA" and record["published_at"][:10] in DAYS
        ]
        back = [{**r, "carrier": "UA"} if r["carrier"] == "ZZ" else r for r in records_in(folder, source)]
        assert sorted(map(str, back)) == sorted(map(str, records_in(clean, source)))
    assert files_of(folder, "weather") == files_of(clean, "weather")


def test_delays_in_seconds_are_corrected_when_it_is_over(weeks: Records, clean: Path, tmp_path: Path) -> None:
    folder = land(weeks, tmp_path, SCALED)
    sound = {
        (r["carrier"], r["flight"], r["event"], r["event_at"]): r for r in records_in(clean, "movements")
    }
    meddled = [r for r in records_in(folder, "movements") if r["published_at"][:10] in DAYS]
    corrected = [r for r in records_in(folder, "movements") if r["published_at"] == "2013-03-11T00:00:00Z"]
    with_delay = [record for record in meddled if record["delay_minutes"] is not None]
    assert len(corrected) == len(with_delay) > 0
    for record in with_delay:
        right = sound[record["carrier"], record["flight"], record["event"], record["event_at"]]
        assert record["delay_minutes"] == 60 * right["delay_minutes"]
    for record in corrected:
        right = sound[record["carrier"], record["flight"], record["event"], record["event_at"]]
        assert {**record, "published_at": right["published_at"]} == right


def test_every_file_of_some_days_comes_again_a_day_later(weeks: Records, clean: Path, tmp_path: Path) -> None:
    folder = land(weeks, tmp_path, RESENT)
    found, expected = files_of(folder, "movements"), files_of(clean, "movements")
    assert set(found) - set(expected) == {f"{day}-again" for day in DAYS}
    assert all(found[f"{day}-again"] == expected[day] for day in DAYS)
    assert {name: lines for name, lines in found.items() if name in expected} == expected


def test_step_by_step_is_the_same_as_at_once(weeks: Records, tmp_path: Path, tree: Any) -> None:
    whole = land(weeks, tmp_path / "whole", EVERYTHING)
    ends = pd.date_range("2013-03-02", "2013-03-18", freq="3D", tz="UTC")
    for start, until in zip([START, *ends], [*ends, END], strict=True):
        land(weeks, tmp_path / "steps", EVERYTHING, until=until, start=start)
    assert tree(tmp_path / "steps") == tree(whole)


def test_every_altered_or_added_line_is_in_the_manifest(weeks: Records, clean: Path, tmp_path: Path) -> None:
    folder = land(weeks, tmp_path, EVERYTHING)
    listed = json.loads((folder / "_manifest.json").read_text())["records"]
    assert {(entry["kind"], entry["effect"]) for entry in listed} == {
        ("renamed", "altered"),
        ("scaled", "altered"),
        ("correction", "added"),
    }
    for source in ("timetable", "movements"):
        sound = {line for lines in files_of(clean, source).values() for line in lines}
        places = {(entry["file"], entry["line"]) for entry in listed if entry["source"] == source}
        strange = {
            (f"{name}.jsonl.gz", number)
            for name, lines in files_of(folder, source).items()
            for number, line in enumerate(lines, start=1)
            if line not in sound and not name.endswith("-again")
        }
        assert strange <= places


def test_a_folder_played_with_other_damage_is_refused(weeks: Records, tmp_path: Path) -> None:
    land(weeks, tmp_path, SILENT)
    with pytest.raises(FeedError, match=r"belongs to incidents .*silence.*, now asked: incidents"):
        land(weeks, tmp_path, RESENT)
    with pytest.raises(FeedError, match="now asked: seed 1"):
        list(publish(weeks, tmp_path, Window(START, END, "day"), Mess(1)))

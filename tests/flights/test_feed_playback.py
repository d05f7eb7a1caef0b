"""Landing files: which ones a call adds, what stands in them, and what is refused."""

import gzip
import json
import math
import os
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_ml.flights.feed import (
    FeedError,
    Landed,
    Mess,
    Rates,
    Window,
    feed_window,
    play,
    playback,
    publish,
)
from lakehouse_ml.flights.feed.files import instant, json_lines, zipped

pytestmark = pytest.mark.slow

START, END = pd.Timestamp("2012-12-30", tz="UTC"), pd.Timestamp("2013-03-25", tz="UTC")
LATER = pd.Timestamp("2013-03-03", tz="UTC")
BUSY = Mess(5, Rates(0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.05, late_file=0.3, odd_file_days=3))
HOURS = st.integers(0, 22 * 24).map(lambda hours: LATER + pd.Timedelta(hours=hours))


def land(records, folder: Path, start=START, until=END, every="day", mess=None) -> list[Landed]:
    return list(publish(records, folder, Window(start, until, every), mess))


def lines(content: bytes) -> list[str]:
    return gzip.decompress(content).decode().splitlines()


def at(moment: str) -> pd.Timestamp:
    return pd.Timestamp(moment, tz="UTC")


# --- lines


def test_lines_hold_every_value_as_json_and_missing_ones_as_null():
    records = pd.DataFrame(
        {
            "text": ['say "hi"\\ /\n', "Zürich", None],
            "count": pd.array([1, None, -3], dtype="Int64"),
            "share": [41.1304722, math.nan, 40.0],
            "at": pd.to_datetime(["2013-01-01T10:15:00Z", None, "2013-11-03T06:00:00Z"], utc=True),
        }
    )
    assert [json.loads(line) for line in json_lines(records)] == [
        {"text": 'say "hi"\\ /\n', "count": 1, "share": 41.1304722, "at": "2013-01-01T10:15:00Z"},
        {"text": "Zürich", "count": None, "share": None, "at": None},
        {"text": None, "count": -3, "share": 40.0, "at": "2013-11-03T06:00:00Z"},
    ]
    assert json_lines(records)[0].startswith('{"text":"say \\"hi\\"\\\\ /\\n","count":1,"share":41.1304722')


def test_no_records_are_no_lines(weeks):
    assert len(json_lines(weeks["movements"].head(0))) == 0


def test_the_same_lines_are_the_same_bytes_without_name_or_time():
    content = zipped(["a", "b"])
    assert content == zipped(["a", "b"])
    assert gzip.decompress(content) == b"a\nb\n"
    # Bytes 4..7 of gzip's header hold a time, flag 8 a name.
    assert content[3:8] == b"\0\0\0\0\0"


# --- files


def test_a_file_holds_the_records_of_its_utc_day_in_order_of_publication(weeks, tmp_path, tree):
    land(weeks, tmp_path)
    files = tree(tmp_path)
    seen = {}
    for name, content in files.items():
        source, file = name.split("/")
        records = [json.loads(line) for line in lines(content)]
        published = [record["published_at"] for record in records]
        assert {moment[:10] for moment in published} == {file.removesuffix(".jsonl.gz")}
        assert published == sorted(published)
        seen[source] = seen.get(source, 0) + len(records)
    assert seen == {source: len(records) for source, records in weeks.items()}


def test_hourly_files_hold_the_lines_of_the_daily_ones(weeks, tmp_path, tree):
    land(weeks, tmp_path / "day")
    land(weeks, tmp_path / "hour", every="hour")
    daily, by_day = tree(tmp_path / "day"), {}
    for name, content in tree(tmp_path / "hour").items():
        day = f"{name.split('T')[0]}.jsonl.gz"
        by_day.setdefault(day, []).extend(lines(content))
    assert by_day == {name: lines(content) for name, content in daily.items()}


def test_an_hourly_file_holds_its_utc_hour_only(weeks, tmp_path, tree):
    land(weeks, tmp_path, every="hour")
    for name, content in tree(tmp_path).items():
        hour = name.split("/")[1].removesuffix(".jsonl.gz")
        assert {json.loads(line)["published_at"][:13] for line in lines(content)} == {hour}


def test_only_periods_that_have_ended_are_published(weeks, tmp_path, tree):
    land(weeks, tmp_path, until=at("2013-03-09T23:59"))
    assert max(name for name in tree(tmp_path) if "weather" in name) == "weather/2013-03-08.jsonl.gz"
    land(weeks, tmp_path, until=at("2013-03-10"))
    assert max(name for name in tree(tmp_path) if "weather" in name) == "weather/2013-03-09.jsonl.gz"


def test_a_period_without_records_gets_no_file(weeks, tmp_path, tree):
    land(weeks, tmp_path)
    assert [name for name in tree(tmp_path) if name.startswith("planes")] == ["planes/2012-12-30.jsonl.gz"]


def test_the_report_counts_new_files_and_lines(weeks, tmp_path, tree):
    landed = land(weeks, tmp_path)
    files = tree(tmp_path)
    assert [(new.source, new.files) for new in landed] == [
        (source, sum(name.startswith(source) for name in files)) for source in weeks
    ]
    assert [new.lines for new in landed] == [len(records) for records in weeks.values()]


def test_a_second_call_adds_only_what_is_missing_and_rewrites_nothing(weeks, tmp_path, tree):
    land(weeks, tmp_path, until=at("2013-03-10"))
    kept = tmp_path / "weather" / "2013-03-06.jsonl.gz"
    kept.write_bytes(b"as it is")
    gone = tmp_path / "weather" / "2013-03-07.jsonl.gz"
    content = gone.read_bytes()
    gone.unlink()
    landed = {new.source: new.files for new in land(weeks, tmp_path, until=at("2013-03-11"))}
    assert landed == {"timetable": 1, "movements": 1, "weather": 2, "planes": 0, "airports": 0, "airlines": 0}
    assert (kept.read_bytes(), gone.read_bytes()) == (b"as it is", content)
    assert {new.files for new in land(weeks, tmp_path, until=at("2013-03-11"))} == {0}


@pytest.mark.parametrize("mess", [None, BUSY])
def test_a_killed_call_leaves_whole_files_only_and_the_next_one_completes_them(
    weeks, tmp_path, tree, monkeypatch, mess
):
    land(weeks, tmp_path / "whole", mess=mess)
    replace, calls = os.replace, iter(range(1000))

    def killed(source, target):
        if next(calls) == 17:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            land(weeks, tmp_path / "killed", mess=mess)
    whole, partly = tree(tmp_path / "whole"), tree(tmp_path / "killed")
    landed = {name for name in partly if name != "_manifest.json"}
    assert 0 < len(landed) < len(whole)
    assert {name: partly[name] for name in landed} == {name: whole[name] for name in landed}
    land(weeks, tmp_path / "killed", mess=mess)
    assert tree(tmp_path / "killed") == whole


@pytest.mark.parametrize("every", ["day", "hour"])
@pytest.mark.parametrize("mess", [None, BUSY])
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.lists(HOURS, min_size=2, max_size=4, unique=True).map(sorted))
def test_calls_that_follow_one_another_equal_one_call(weeks, tree, tmp_path_factory, every, mess, ends):
    thin = {source: records.iloc[::5] for source, records in weeks.items()}
    split, once = tmp_path_factory.mktemp("split"), tmp_path_factory.mktemp("once")
    for start, until in pairwise(ends):
        land(thin, split, start, until, every, mess)
    land(thin, once, ends[0], ends[-1], every, mess)
    assert tree(split) == tree(once)


# --- what is refused


def test_hourly_files_for_a_day_that_lies_there_by_day_are_refused_and_nothing_lands(weeks, tmp_path, tree):
    land(weeks, tmp_path, until=at("2013-03-08"))
    before = tree(tmp_path)
    with pytest.raises(FeedError, match=r"holds 20\S+\.jsonl\.gz: files by hour would repeat .*--from after"):
        land(weeks, tmp_path, until=at("2013-03-09"), every="hour")
    assert tree(tmp_path) == before


def test_daily_files_for_a_day_that_lies_there_by_hour_are_refused(weeks, tmp_path):
    land(weeks, tmp_path, at("2013-03-07"), at("2013-03-07T12:00"), every="hour")
    with pytest.raises(FeedError, match=r"holds 2013-03-07T\d\d\.jsonl\.gz: files by day would repeat"):
        land(weeks, tmp_path, at("2013-03-07"), at("2013-03-09"))


@pytest.mark.parametrize("mess", [None, BUSY])
def test_hourly_files_may_follow_daily_ones(weeks, tmp_path, tree, mess):
    land(weeks, tmp_path, until=at("2013-03-08"))
    daily = set(tree(tmp_path))
    land(weeks, tmp_path, at("2013-03-08"), at("2013-03-10"), every="hour", mess=mess)
    added = set(tree(tmp_path)) - daily - {"_manifest.json"}
    assert added
    assert all(name.split("/")[1] >= "2013-03-08T00" for name in added)


def test_a_window_that_ends_before_it_starts_is_refused_with_both_ends():
    with pytest.raises(FeedError, match="from=2013-03-08T00:00:00Z and until=2013-03-08T00:00:00Z"):
        Window(at("2013-03-08"), at("2013-03-08"))


def test_an_unknown_period_length_is_refused():
    with pytest.raises(FeedError, match="one of day, hour, is 'week'"):
        Window(at("2013-03-08"), at("2013-03-09"), "week")


@pytest.mark.parametrize(
    ("start", "until"), [(None, "2012-12-29"), ("2013-03-19", None), ("2014-03-19", "2014-05-01")]
)
def test_a_window_outside_the_feed_is_refused_with_the_feeds_own_ends(weeks, start, until):
    with pytest.raises(FeedError, match="the feed runs from 2012-12-30T00:00:00Z to 2013-03-1"):
        feed_window(weeks, start and at(start), until and at(until), "day")


def test_open_ends_are_those_of_the_feed(weeks, tmp_path):
    window = feed_window(weeks, None, None, "day")
    assert instant(window.start) == "2012-12-30T00:00:00Z"
    landed = list(publish(weeks, tmp_path, window))
    assert sum(new.lines for new in landed) == sum(len(records) for records in weeks.values())


def test_play_lands_the_real_feed(year, tmp_path, tree, monkeypatch):
    monkeypatch.setattr(playback, "feed_records", lambda: year)
    landed = {new.source: new.lines for new in play(tmp_path, until=at("2013-01-02"))}
    assert landed == {
        "timetable": 1785,
        "movements": 1192,
        "weather": 49,
        "planes": 3322,
        "airports": 1458,
        "airlines": 16,
    }
    first = json.loads(lines(tree(tmp_path)["movements/2013-01-01.jsonl.gz"])[0])
    assert first["published_at"] == "2013-01-01T10:19:00Z"

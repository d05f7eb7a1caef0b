import gzip
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_ml.lakehouse.landing import LandingError, _unzip, landed_file, landed_files, unzipped_lines


def test_a_day_file_covers_its_utc_day():
    landed = landed_file("weather", "2013-09-30.jsonl.gz", 7)
    assert (landed.file, landed.source, landed.size_bytes) == ("weather/2013-09-30.jsonl.gz", "weather", 7)
    assert landed.period_start == datetime(2013, 9, 30, tzinfo=UTC)
    assert landed.period_end == datetime(2013, 10, 1, tzinfo=UTC)


def test_an_hour_file_covers_its_hour_also_over_midnight():
    landed = landed_file("weather", "2013-12-31T23.jsonl.gz", 7)
    assert landed.period_start == datetime(2013, 12, 31, 23, tzinfo=UTC)
    assert landed.period_end == datetime(2014, 1, 1, tzinfo=UTC)


def test_a_further_file_of_a_period_has_a_suffix():
    assert landed_file("weather", "2013-09-30T05-empty.jsonl.gz", 0).period_end.hour == 6


@pytest.mark.parametrize(
    "name",
    [
        "2013-09-30.jsonl",
        "2013-09-30.csv.gz",
        "today.jsonl.gz",
        "2013-9-30.jsonl.gz",
        "2013-09-30T5.jsonl.gz",
        "2013-02-30.jsonl.gz",
        "2013-09-30T24.jsonl.gz",
        "2013-09-30.jsonl.gz.part",
        "9999-12-31.jsonl.gz",
        "9999-12-31T23.jsonl.gz",
        "",
    ],
)
def test_a_name_without_a_period_is_refused_by_name_with_the_form_it_needs(name):
    with pytest.raises(LandingError) as refused:
        landed_file("weather", name, 7)
    assert f"weather/{name}: " in str(refused.value)
    assert "2013-09-30.jsonl.gz" in str(refused.value)


def test_a_misnamed_file_is_listed_with_the_period_of_the_newest_file_beside_it():
    listed = landed_files(
        [
            ("planes", "2013-01-09.jsonl.gz", 1),
            ("weather", "2013-01-01.jsonl.gz", 1),
            ("weather", "2013-01-02T05.jsonl.gz", 2),
            ("weather", "notes.txt", 3),
            ("requests", "notes.txt", 4),
        ]
    )
    assert [(file.file, file.size_bytes, file.is_named) for file in listed[2:]] == [
        ("weather/2013-01-02T05.jsonl.gz", 2, True),
        ("weather/notes.txt", 3, False),
        ("requests/notes.txt", 4, False),
    ]
    assert [file.period_end for file in listed[3:]] == [listed[2].period_end, listed[0].period_end]
    assert (listed[3].source, listed[4].source) == ("weather", "requests")


def test_a_file_named_for_the_future_is_misnamed_since_a_runs_now_would_stay_there():
    now = datetime.now(UTC)
    ahead = [now + timedelta(hours=hours) for hours in (1, 20, 26)]
    names = [*(f"{at:%Y-%m-%dT%H}.jsonl.gz" for at in ahead), "9998-10-01.jsonl.gz"]
    listed = landed_files([("timetable", name, 1) for name in names])
    assert [file.is_named for file in listed] == [True, True, False, False]
    assert {file.period_end for file in listed[2:]} == {listed[1].period_end}
    taken = unzipped("timetable", *(f"file:/dev/timetable/{name}" for name in names))
    assert set(taken["_file"]) == {file.file for file in listed[:2]}


def test_a_listing_without_any_period_is_refused_by_name():
    assert landed_files([]) == []
    with pytest.raises(LandingError, match=r"weather/notes\.txt: a landing file is named"):
        landed_files([("weather", "notes.txt", 3)])
    with pytest.raises(
        LandingError, match=r"weather/9998-10-01\.jsonl\.gz: .*by a day or hour that has begun"
    ):
        landed_files([("weather", "9998-10-01.jsonl.gz", 3)])


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_the_lines_joined_are_the_content(content):
    numbered = unzipped_lines(gzip.compress(content.encode()))
    lines = [line for _, line in numbered]
    if content:
        assert "\n".join(lines) == content.removesuffix("\n")
        assert [number for number, _ in numbered] == list(range(1, len(lines) + 1))
    else:
        assert numbered == [(0, None)]


@given(st.binary())
def test_any_bytes_are_on_record(content):
    assert unzipped_lines(content)
    assert unzipped_lines(gzip.compress(content))


def test_line_ends_of_other_systems_and_blank_lines_stay_as_they_landed():
    assert unzipped_lines(gzip.compress(b"a\r\n\nb\x0bc\n\n")) == [
        (1, "a\r"),
        (2, ""),
        (3, "b\x0bc"),
        (4, ""),
    ]


def test_a_last_line_without_end_is_a_line():
    assert unzipped_lines(gzip.compress(b"a\nb")) == [(1, "a"), (2, "b")]


def test_bytes_that_are_not_utf_8_are_kept_as_escapes():
    assert unzipped_lines(gzip.compress(b'{"name":"Caf\xe9"}\nb')) == [(1, '{"name":"Caf\\xe9"}'), (2, "b")]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"a\nb\n" * 100)[:-9], gzip.compress(b"a") + b"trailing", b"\x1f\x8b"],
    ids=["plain", "cut off", "trailing", "only the mark"],
)
def test_what_cannot_be_unzipped_is_one_row_with_its_content(content):
    assert unzipped_lines(content) == [(0, content.decode(errors="backslashreplace"))]


def test_a_file_whose_bytes_changed_on_the_way_is_unreadable():
    content = bytearray(gzip.compress(b"a\nb\n" * 100))
    content[-6] ^= 1
    assert [number for number, _ in unzipped_lines(bytes(content))] == [0]


def test_files_of_several_members_are_read_whole():
    assert unzipped_lines(gzip.compress(b"a\n") + gzip.compress(b"b\n")) == [(1, "a"), (2, "b")]


def unzipped(source: str, *paths: str) -> pd.DataFrame:
    batch = pd.DataFrame({"path": paths, "content": gzip.compress(b"a\nb\n")})
    none = pd.DataFrame({"line": [], "_file": [], "_line_no": []})
    return pd.concat([none, *_unzip(iter([batch]), source)], ignore_index=True)


def test_rows_carry_source_and_name_of_their_file():
    for root in ("file:/data/dev", "dbfs:/Volumes/x"):
        rows = unzipped(
            "weather", f"{root}/weather/2013-01-01.jsonl.gz", f"{root}/weather/2013-01-02.jsonl.gz"
        )
        names = [f"weather/2013-01-0{day}.jsonl.gz" for day in (1, 1, 2, 2)]
        assert rows["_file"].tolist() == names
        assert rows["_line_no"].tolist() == [1, 2, 1, 2]
        assert rows["line"].tolist() == ["a", "b", "a", "b"]


def test_nothing_is_taken_of_what_is_listed_as_misnamed():
    folders = ("old", "day=1", "weather")
    names = ("newest.jsonl.gz", "2013-02-30.jsonl.gz", *(f"{name}/2013-01-01.jsonl.gz" for name in folders))
    assert unzipped("weather", *(f"file:/dev/weather/{name}" for name in names)).empty

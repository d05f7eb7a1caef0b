"""The messy feed reconciles with the clean one to the line."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from lakehouse_ml.flights.feed import FeedError, Mess, Rates, Window, play, playback, publish
from lakehouse_ml.flights.feed.messy import EFFECTS, IMPOSSIBLE, damaged_line
from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.lakehouse.sources import record_fields

pytestmark = pytest.mark.slow

BY_NAME = {contract.name: contract for contract in SOURCES}
START, END = pd.Timestamp("2012-12-30", tz="UTC"), pd.Timestamp("2013-03-27", tz="UTC")
RATES = Rates(0.03, 0.03, 0.03, 0.03, 0.05, 0.05, 0.06, late_file=0.25, odd_file_days=4)
MESS = Mess(7, RATES)


def land(records, folder: Path, mess=None, every="day", start=START, until=END) -> Path:
    list(publish(records, folder, Window(start, until, every), mess))
    return folder


def lines_in(folder: Path) -> dict[tuple[str, str, int], str]:
    """Every line of the gzipped files by source, file and number."""
    found = {}
    for path in sorted(folder.glob("*/*.jsonl.gz")):
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            for number, line in enumerate(gzip.decompress(content).decode().splitlines(), start=1):
                found[path.parent.name, path.name, number] = line
    return found


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "_manifest.json").read_text())


def place(entry: dict) -> tuple[str, str, int]:
    return entry["source"], entry["file"], entry["line"]


def identity(source: str, line: str) -> tuple[str, str, str]:
    record = json.loads(line)
    key = {name: record[name] for name in BY_NAME[source].key}
    return source, json.dumps(key), record["published_at"]


def entry_identity(entry: dict) -> tuple[str, str, str]:
    return entry["source"], json.dumps(entry["key"]), entry["published_at"]


@pytest.fixture(scope="module")
def clean(weeks, tmp_path_factory) -> dict[tuple[str, str, int], str]:
    return lines_in(land(weeks, tmp_path_factory.mktemp("clean")))


@pytest.fixture(scope="module")
def folder(weeks, tmp_path_factory) -> Path:
    return land(weeks, tmp_path_factory.mktemp("messy"), MESS)


@pytest.fixture(scope="module")
def messy(folder) -> dict[tuple[str, str, int], str]:
    return lines_in(folder)


@pytest.fixture(scope="module")
def manifest(folder) -> dict:
    return manifest_of(folder)


def test_lines_outside_the_manifest_are_the_clean_lines_of_undamaged_records(clean, messy, manifest):
    listed = {place(entry) for entry in manifest["records"]}
    changed = {entry_identity(entry) for entry in manifest["records"] if entry["effect"] in ("lost", "none")}
    untouched = Counter((where[0], line) for where, line in messy.items() if where not in listed)
    expected = Counter(
        (where[0], line) for where, line in clean.items() if identity(where[0], line) not in changed
    )
    assert untouched == expected


def test_every_listed_line_is_there_and_every_kind_occurs(messy, manifest):
    assert {place(entry) for entry in manifest["records"]} <= set(messy)
    assert {entry["kind"] for entry in manifest["records"]} == set(EFFECTS)
    assert all(entry["effect"] == EFFECTS[entry["kind"]] for entry in manifest["records"])


def test_messy_lines_less_extra_ones_are_as_many_as_clean_lines(clean, messy, manifest):
    extra = Counter(
        entry["source"] for entry in manifest["records"] if entry["effect"] in ("duplicate", "added")
    )
    assert Counter(where[0] for where in messy) == Counter(where[0] for where in clean) + extra


def listed(messy, manifest, kind: str) -> list[tuple[dict, str]]:
    return [(entry, messy[place(entry)]) for entry in manifest["records"] if entry["kind"] == kind]


def test_broken_lines_do_not_parse(messy, manifest):
    for _, line in listed(messy, manifest, "broken_line"):
        assert line
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)


def test_wrong_types_are_text_in_a_typed_field_or_a_fraction_in_an_integer(messy, manifest):
    seen = set()
    for entry, line in listed(messy, manifest, "wrong_type"):
        types = {field.name: field.type for field in record_fields(BY_NAME[entry["source"]])}
        wrong = {
            (types[name], value)
            for name, value in json.loads(line).items()
            if (value == "unknown" and types[name] != "string") or (types[name] == "int" and value == 10.5)
        }
        assert len(wrong) == 1, line
        seen |= wrong
    assert {("int", 10.5), ("int", "unknown"), ("double", "unknown"), ("timestamp", "unknown")} <= seen


@pytest.mark.parametrize("source", BY_NAME)
def test_impossible_values_break_the_rule_of_their_column(source, keeps_rule):
    for name, value in IMPOSSIBLE[source].items():
        rule = BY_NAME[source].column(name).rule
        assert rule is not None
        assert not keeps_rule(rule, pd.Series([value])).any(), (name, value)


def test_impossible_lines_differ_from_clean_ones_in_one_listed_value(clean, messy, manifest):
    sound = {identity(where[0], line): json.loads(line) for where, line in clean.items()}
    for entry, line in listed(messy, manifest, "impossible_value"):
        before = sound[entry_identity(entry)]
        changed = {name: value for name, value in json.loads(line).items() if value != before[name]}
        assert len(changed) == 1
        assert changed.items() <= IMPOSSIBLE[entry["source"]].items()


def test_unknown_fields_come_on_top_of_the_clean_record(clean, messy, manifest):
    sound = {identity(where[0], line): json.loads(line) for where, line in clean.items()}
    for entry, line in listed(messy, manifest, "unknown_field"):
        record = json.loads(line)
        assert record.pop("gate")
        assert record == sound[entry_identity(entry)]


def test_resends_follow_at_once_and_late_ones_within_three_days(messy, manifest):
    for entry, line in listed(messy, manifest, "resend"):
        source, file, number = place(entry)
        assert messy[source, file, number - 1] == line
    for entry, line in listed(messy, manifest, "late_resend"):
        source, file, _ = place(entry)
        assert sum(line == other for where, other in messy.items() if where[0] == source) == 2
        behind = pd.Timestamp(file[:10], tz="UTC") - pd.Timestamp(entry["published_at"]).floor("D")
        assert pd.Timedelta(0) <= behind <= pd.Timedelta(days=3)


def test_corrections_share_the_key_of_a_record_that_stays_and_are_newer(clean, messy, manifest):
    by_key = {identity(where[0], line)[:2]: line for where, line in clean.items()}
    lines = set(messy.values())
    corrections = listed(messy, manifest, "correction")
    assert {entry["source"] for entry, _ in corrections} == {"timetable", "movements", "weather"}
    for entry, line in corrections:
        corrected = by_key[entry_identity(entry)[:2]]
        assert corrected in lines
        old, new = json.loads(corrected), json.loads(line)
        later = pd.Timestamp(new["published_at"]) - pd.Timestamp(old["published_at"])
        assert pd.Timedelta(hours=1) <= later <= pd.Timedelta(hours=12)


def test_corrections_keep_every_rule_of_their_contract(messy, manifest, keeps_rule):
    for entry, line in listed(messy, manifest, "correction"):
        record = json.loads(line)
        for field in record_fields(BY_NAME[entry["source"]]):
            value = record[field.name]
            assert value is not None or not field.required
            if field.rule and value is not None:
                assert keeps_rule(field.rule, pd.Series([value])).all()
        if entry["source"] == "movements":
            assert (record["event"] in ("departure", "arrival")) == (record["delay_minutes"] is not None)
            assert record["published_at"] >= record["event_at"]


def test_damage_occurs_at_the_given_rates(year):
    moves = year["movements"].head(40_000)
    messages = Mess(1, RATES).messages(moves, BY_NAME["movements"])
    share = (messages["_damage"].value_counts() / len(moves)).drop("").to_dict()
    assert share == pytest.approx(RATES.by_kind, rel=0.1)


def test_the_same_seed_damages_the_same_and_another_seed_something_else(weeks, folder, tmp_path, tree):
    assert tree(land(weeks, tmp_path / "same", MESS)) == tree(folder)
    other = manifest_of(land(weeks, tmp_path / "other", Mess(8, RATES)))
    keys = {json.dumps(entry["key"]) for entry in manifest_of(folder)["records"]}
    assert len(keys & {json.dumps(entry["key"]) for entry in other["records"]}) < len(keys) / 2


def test_hourly_files_are_damaged_like_daily_ones(weeks, messy, manifest, tmp_path):
    hourly = land(weeks, tmp_path, MESS, every="hour")
    assert Counter((w[0], line) for w, line in lines_in(hourly).items()) == Counter(
        (w[0], line) for w, line in messy.items()
    )
    kinds = [Counter(e["kind"] for e in m["records"]) for m in (manifest, manifest_of(hourly))]
    assert kinds[0] == kinds[1]
    odd = [
        {(e["source"], e["kind"], e["file"][:10], e["lines"]) for e in odd_entries(m)}
        for m in (manifest, manifest_of(hourly))
    ]
    assert odd[0] == odd[1]


def odd_entries(manifest: dict) -> list[dict]:
    return [entry for entry in manifest["files"] if entry["kind"] != "late_file"]


def test_a_late_file_appears_only_when_it_has_arrived(weeks, manifest, tmp_path):
    late = [entry for entry in manifest["files"] if entry["kind"] == "late_file"]
    assert late
    for entry in late[:3]:
        arrives = pd.Timestamp(entry["arrives_at"])
        ended = pd.Timestamp(entry["file"][:10], tz="UTC") + pd.Timedelta(days=1)
        assert arrives - ended in [pd.Timedelta(days=days) for days in (2, 3, 4, 5)]
        folder = tmp_path / entry["file"]
        path = folder / entry["source"] / entry["file"]
        land(weeks, folder, MESS, until=arrives - pd.Timedelta(minutes=1))
        assert not path.exists()
        land(weeks, folder, MESS, until=arrives)
        assert path.exists()


def test_files_without_readable_lines_are_listed_and_hide_nothing_new(folder, messy, manifest):
    odd = odd_entries(manifest)
    assert {(entry["source"], entry["kind"]) for entry in odd} == {
        ("airlines", "empty_file"),
        ("airports", "blank_file"),
        ("movements", "unzipped_file"),
    }
    for entry in odd:
        content = (folder / entry["source"] / entry["file"]).read_bytes()
        if entry["kind"] == "empty_file":
            assert content == b""
        elif entry["kind"] == "blank_file":
            assert gzip.decompress(content) == b""
        else:
            with pytest.raises(gzip.BadGzipFile):
                gzip.decompress(content)
            assert len(content.decode().splitlines()) == entry["lines"]


def test_a_file_that_is_not_gzip_repeats_lines_of_its_day(folder, clean, manifest):
    sent = set(clean.values())
    unzipped = [entry for entry in manifest["files"] if entry["kind"] == "unzipped_file"]
    assert unzipped
    for entry in unzipped:
        assert entry["file"].endswith("-resend.jsonl.gz")
        assert set((folder / "movements" / entry["file"]).read_text().splitlines()) <= sent


def test_no_damage_lies_in_the_folder_before_the_manifest_lists_it(weeks, tmp_path, monkeypatch):
    def killed(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(playback, "land", killed)
    with pytest.raises(KeyboardInterrupt):
        land(weeks, tmp_path, MESS)
    assert not list(tmp_path.glob("*/*"))
    assert {entry["source"] for entry in manifest_of(tmp_path)["records"]} == {"timetable"}


@pytest.mark.parametrize("other", [Mess(8, RATES), Mess(7)])
def test_another_seed_or_other_rates_over_the_same_folder_are_refused(weeks, tmp_path, tree, other):
    land(weeks, tmp_path, MESS, until=pd.Timestamp("2013-03-08", tz="UTC"))
    before = tree(tmp_path)
    with pytest.raises(FeedError, match=r"_manifest\.json belongs to seed 7 .*empty the landing folder"):
        land(weeks, tmp_path, other)
    assert tree(tmp_path) == before


def test_a_clean_line_passes_kinds_that_only_repeat_it():
    assert damaged_line('{"a":1}', "resend", 3, SOURCES[0]) == '{"a":1}'


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"resend": 1.5}, "resend=1.5"),
        ({"late_file": -0.1}, "late_file=-0.1"),
        ({"resend": 0.6, "correction": 0.6}, "add up to 1"),
        ({"odd_file_days": 0}, "odd_file_days must be at least 1, is 0"),
    ],
)
def test_rates_that_are_no_shares_are_refused_by_name(rates, message):
    with pytest.raises(FeedError, match=message):
        Rates(**rates)


def test_the_clean_feed_writes_no_manifest(weeks, tmp_path):
    assert not (land(weeks, tmp_path) / "_manifest.json").exists()


def test_play_damages_when_asked(year, tmp_path, monkeypatch):
    monkeypatch.setattr(playback, "feed_records", lambda: year)
    play(tmp_path, until=pd.Timestamp("2013-01-02", tz="UTC"), messy=True, seed=3)
    assert manifest_of(tmp_path)["seed"] == 3

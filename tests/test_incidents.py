"""A file of incidents: what is wrong in it is told with its place, its value and what it may be."""

import pytest

from incident_builders import RENAMED, RESENT, SCALED, SILENT, WHEN
from lakehouse_ml.flights.sources import SOURCES
from lakehouse_ml.incidents import IncidentError, check_incidents, read_incidents

POISONED = f"[{{name: poison, kind: poisoned, inverted_share: 0.7, {WHEN}}}]"
RULES = ("freshness", "quality")
EVERY = ", ".join(source.name for source in SOURCES)


def check(text: str) -> None:
    check_incidents(read_incidents(text), SOURCES, RULES)


@pytest.mark.parametrize("text", ["", "# nothing", SILENT, RENAMED, SCALED, RESENT, POISONED])
def test_a_sound_file_is_read(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SILENT.replace("silent", "flood"), "silence: Input tag 'flood' found using 'kind' does not match any of"),
        (SILENT.replace("03-11", "03-08"), "silence: until must lie after from, is 2013-03-08"),
        (SILENT.replace("source", "sauce"), "silence: source: Field required; silence: sauce: Extra inputs"),
        (SILENT.replace("name: silence, ", "").replace("source", "sauce"), "incident 1: name: Field required"),
        (SILENT.replace("03-08", "13-25"), "silence: from: must be a moment such as 2013-05-25 or .*, is '2013-13-25'"),
        (SCALED.replace("60", "0"), "seconds: factor: Input should be greater than 0, is '0'"),
        (SCALED.replace("60", ".inf"), "seconds: factor: Input should be a valid number, .*, is '.inf'"),
        (SCALED.replace("60", "inf"), "seconds: factor: Input should be a finite number, is 'inf'"),
        (SCALED.replace("60", "nan"), "seconds: factor: Input should be a finite number, is 'nan'"),
        (RENAMED.replace("{UA: ZZ}", "{}"), "renamed: values: Dictionary should have at least 1 item"),
        (RESENT.replace("movements", ""), "twice: sources: Tuple should have at least 1 item"),
        ("silence", "the file: Input should be a valid tuple, is 'silence'"),
        ("[{name: silence", r"expected ',' or '}', but got .*, line 1, column 16"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(IncidentError, match=words):
        read_incidents(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SILENT.replace("weather", "wether"), f"silence: source: must be one of {EVERY}, is 'wether'"),
        (RESENT.replace("movements", "timetabel"), f"twice: sources: must be one of {EVERY}, is 'timetabel'"),
        (
            SILENT.replace("from", "noticed_by: [freshnes], from"),
            "silence: noticed_by: must be one of freshness, quality, is 'freshnes'",
        ),
        (
            RENAMED.replace("carrier", "carier"),
            r"renamed: column: must be a text of timetable \(carrier, origin, destination\), is 'carier'; "
            r"renamed: column: must be a text of movements \(.*\), is 'carier'",
        ),
        (
            SCALED.replace("delay_minutes", "carrier"),
            r"seconds: column: must be a number of movements \(flight, delay_minutes\), is 'carrier'",
        ),
        (
            SCALED.replace("movements", "airlines"),
            r"seconds: column: must be a number of airlines \(it has none\), is 'delay_minutes'",
        ),
    ],
)
def test_a_name_that_nothing_has_is_told_with_those_there_are(text: str, words: str) -> None:
    with pytest.raises(IncidentError, match=words):
        check(text)


def test_every_mistake_is_told_at_once() -> None:
    both = SILENT.replace("weather", "wether")[1:-1], RESENT.replace("movements", "timetabel")[1:-1]
    with pytest.raises(IncidentError, match=r"'wether'; twice: .*'timetabel'"):
        check("\n".join(f"- {text}" for text in both))


def test_incidents_stand_in_the_order_of_time_whatever_the_files_order() -> None:
    later = RESENT.replace("03-08", "03-09")
    assert [one.name for one in read_incidents(f"- {later[1:-1]}\n- {SILENT[1:-1]}")] == ["silence", "twice"]

"""What the families' plain functions must keep for any records: nothing known early, and incremental equal to full."""

import hashlib
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import differing
from flight_builders import FIELDS, MINUTE, Family, asked, moved, scheduled
from lakehouse_ml.flights.features import arrivals, history, lateness, rotation
from lakehouse_ml.lakehouse.point_in_time import micros

# Most flights stand close together; the others reach beyond the longest window, which is 84 days.
DAYS = (
    "2013-01-20",
    "2013-02-04",
    "2013-02-06",
    "2013-04-01",
    "2013-04-02",
    "2013-04-28",
    "2013-04-30",
    "2013-05-01",
)
FLIGHTS = st.fixed_dictionaries(
    {
        "number": st.integers(1, 2),
        "day": st.sampled_from((*DAYS, *DAYS[-2:])),
        "minute": st.integers(4 * 60, 20 * 60),
        "carrier": st.sampled_from(["UA", "B6"]),
        "origin": st.sampled_from(["EWR", "JFK"]),
        "destination": st.sampled_from(["ORD", "BOS"]),
        "tail_number": st.sampled_from(["N1", "N2", None]),
        "gate": st.sampled_from(["departure", "departure", "cancellation", None]),
        "end": st.sampled_from(["arrival", "arrival", "diversion", None]),
        "delay": st.integers(-15, 300),
        "corrected_after": st.none() | st.integers(0, 48 * 60),
    }
)
WORLDS = st.lists(FLIGHTS, min_size=1, max_size=14)
MODULES = (arrivals, history, lateness, rotation)
FAMILIES = [(getattr(module, f"{module.FAMILY.name}_in_block"), module.LOOKBACK) for module in MODULES]

any_family = pytest.mark.parametrize(("family", "lookback"), FAMILIES, ids=[m.FAMILY.name for m in MODULES])
few = settings(max_examples=10, deadline=None)


def departure(flight):
    return str(pd.Timestamp(flight["day"]) + pd.Timedelta(minutes=flight["minute"]))


def identity(flight):
    return {name: flight[name] for name in ("carrier", "origin", "destination", "tail_number")}


def messages(flight):
    """The timetable, what happened, and all of it once more with other values when it is corrected."""
    at, who, delay = departure(flight), identity(flight), flight["delay"]
    happened = [(flight["gate"], delay), (flight["end"], delay // 2)]
    first = [
        scheduled(flight["number"], at, **who),
        *(moved(flight["number"], at, event, late, **who) for event, late in happened if event),
    ]
    yield from first
    if flight["corrected_after"] is not None:
        later = flight["corrected_after"] * MINUTE
        for message in first:
            yield message | {
                "published_us": message["published_us"] + later,
                "delay_minutes": message["delay_minutes"] + 30,
                "arrives_us": message["arrives_us"] + 10 * MINUTE,
            }


def world(flights):
    """Questions about the flights, and every revision once; its name follows from its content."""
    questions = [
        asked(f["number"], departure(f), **identity(f)) | {"key": f"{n}"} for n, f in enumerate(flights)
    ]
    records = pd.DataFrame([message for flight in flights for message in messages(flight)])
    content = records.drop(columns="revision").astype(str).agg("|".join, axis=1)
    revision = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in content]
    assert set(FIELDS) < set(records.columns)
    return pd.DataFrame(questions), records.assign(revision=revision).drop_duplicates("revision")


def answers(family, questions, records):
    return family(questions.reset_index(drop=True), records.reset_index(drop=True))


def early(family: Family, questions: pd.DataFrame, records: pd.DataFrame, now: int) -> set[str]:
    """Features of questions asked by now that change when everything published later is cut off."""
    past = questions[questions["predict_us"] <= now]
    known = records[records["published_us"] <= now]
    return differing(answers(family, questions, records), answers(family, past, known))


def unlike_alone(
    family: Family, questions: pd.DataFrame, records: pd.DataFrame, row: int, lookback: timedelta
) -> set[str]:
    """Features that change when one question is asked alone, with its lookback's records in another order."""
    alone = questions.iloc[[row]]
    age = alone["predict_us"].iloc[0] - records["published_us"]
    reached = records[age < micros(lookback)].sample(frac=1, random_state=row)
    return differing(answers(family, questions, records), answers(family, alone, reached))


@any_family
@few
@given(WORLDS, st.integers(0, 99))
def test_cutting_the_future_off_changes_no_earlier_feature(family, lookback, flights, place):
    questions, records = world(flights)
    now = int(questions["predict_us"].iloc[place % len(questions)])
    assert early(family, questions, records, now) == set()


@any_family
@few
@given(WORLDS, st.integers(0, 99))
def test_a_question_alone_is_answered_as_among_all_whatever_the_order(family, lookback, flights, place):
    questions, records = world(flights)
    assert unlike_alone(family, questions, records, place % len(questions), lookback) == set()


def flight_on(day, **other):
    plain = {
        "number": 1, "day": day, "minute": 600, "carrier": "UA", "origin": "EWR", "destination": "ORD",
        "tail_number": "N1", "gate": "departure", "end": "arrival", "delay": 20, "corrected_after": None,
    }  # fmt: skip
    return plain | other


def leaking(questions, records):
    """Knows every delay, whenever it was published."""
    return questions[["key"]].assign(leak=records["delay_minutes"].mean())


def forgetful(questions, records):
    """Its value depends on the questions beside it."""
    return questions[["key"]].assign(place=range(len(questions)))


def endless(questions, records):
    """Counts records of any age."""
    at = questions["predict_us"].to_numpy()[:, None]
    return questions[["key"]].assign(known=(records["published_us"].to_numpy()[None, :] <= at).sum(axis=1))


def hasty(questions, records):
    """A real family that takes every record for known two hours before it is published."""
    sooner = records.assign(published_us=records["published_us"] - 120 * MINUTE)
    return lateness.lateness_in_block(questions, sooner)


def test_what_is_known_early_or_depends_on_its_block_is_found():
    questions, records = world([flight_on(day, delay=10 * place) for place, day in enumerate(DAYS)])
    noon = int(questions["predict_us"].iloc[3])
    last, lookback = len(questions) - 1, timedelta(days=90)
    assert early(leaking, questions, records, noon) == {"leak"}
    assert unlike_alone(forgetful, questions, records, last, lookback) == {"place"}
    assert unlike_alone(endless, questions, records, last, lookback) == {"known"}
    assert early(endless, questions, records, noon) == set()
    # Half past seven, left an hour late; asked about at eight, two hours before the other flight.
    questions, records = world([flight_on(DAYS[-1], minute=450, delay=60), flight_on(DAYS[-1])])
    eight = int(questions["predict_us"].iloc[1])
    assert "city_lateness_1h_minutes" in early(hasty, questions, records, eight)
    assert early(lateness.lateness_in_block, questions, records, eight) == set()

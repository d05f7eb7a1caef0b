from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_ml.incidents import Poisoned, read_incidents
from lakehouse_ml.pipelines.monitoring.situation import Decided, Training
from lakehouse_ml.replay.policies import POLICIES, Position, poisons_left, trains

APRIL = datetime(2013, 4, 1, tzinfo=UTC)
FIRST = Training(1, APRIL)
REQUEST = Decided(
    1, "requested", "k" * 64, "1", ("quality",), (), ("quality asks for a new model",), 1, APRIL
)


def at(days: int, *trainings: Training, decisions: tuple[Decided, ...] = ()) -> Position:
    return Position(APRIL + timedelta(days=days), True, trainings or (FIRST,), decisions)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_trains_while_it_has_no_champion_once_a_step(policy: str) -> None:
    nobody = Position(APRIL, has_champion=False)
    assert trains(policy, nobody)
    refused = replace(nobody, trainings=(FIRST,))
    assert not trains(policy, refused)
    assert trains(policy, replace(refused, as_of=APRIL + timedelta(days=7)))


def test_never_keeps_its_first_champion_whatever_the_controller_asks() -> None:
    assert not any(trains("never", at(days, decisions=(REQUEST,))) for days in range(0, 270, 7))


def test_monthly_trains_in_the_first_step_of_each_month() -> None:
    trainings, months = [FIRST], []
    for days in range(7, 270, 7):
        position = at(days, *trainings)
        if trains("monthly", position):
            trainings.append(Training(len(trainings) + 1, position.as_of))
            months.append(f"{position.as_of:%m-%d}")
    assert months == ["05-06", "06-03", "07-01", "08-05", "09-02", "10-07", "11-04", "12-02"]


def test_triggered_trains_when_the_controller_asks_and_once_for_each_request() -> None:
    asked = at(7, decisions=(REQUEST,))
    assert trains("triggered", asked)
    answered = Training(2, APRIL + timedelta(days=7))
    assert not trains("triggered", at(14, FIRST, answered, decisions=(REQUEST,)))
    assert not trains("triggered", at(7))


def test_a_training_held_back_is_none() -> None:
    held = replace(REQUEST, outcome="held_back", held_back_by=("data_alert",))
    assert not trains("triggered", at(7, decisions=(held,)))


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_trains_twice_in_one_step(policy: str) -> None:
    done = Training(2, APRIL + timedelta(days=35))
    assert not trains(policy, at(35, FIRST, done, decisions=(REQUEST,)))


POISONS = tuple(
    incident
    for incident in read_incidents(
        """
        - {name: first, kind: poisoned, inverted_share: 0.7, from: 2013-04-02, until: 2013-04-03}
        - {name: second, kind: poisoned, inverted_share: 0.7, from: 2013-04-04, until: 2013-04-05}
        """
    )
    if isinstance(incident, Poisoned)
)


@pytest.mark.parametrize(
    ("policy", "champion", "decided", "left"),
    [
        ("never", True, 0, ["first", "second"]),
        ("never", True, 1, ["second"]),
        ("never", False, 1, ["first", "second"]),
        ("never", False, 2, ["second"]),
        ("triggered", True, 1, ["first", "second"]),
        ("triggered", True, 3, []),
    ],
)
def test_a_step_that_is_begun_again_poisons_what_was_not_decided_on(
    policy: str, champion: bool, decided: int, left: list[str]
) -> None:
    now = APRIL + timedelta(days=7)
    own = tuple(Training(2 + number, now) for number in range(decided))
    position = Position(now, champion, (FIRST, *own) if champion else own, (REQUEST,))
    assert [poison.name for poison in poisons_left(policy, position, POISONS)] == left

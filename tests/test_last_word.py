"""Approval and roll-back killed at every step: what is on record is finished once, by whichever start comes next."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE

from lakehouse_ml import last_word
from lakehouse_ml.champion import Champions, current_champion, ledger_faults, record, settle
from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.last_word import Ask
from lakehouse_ml.ledger import Entry, Ledger, LedgerError, hash_of
from lakehouse_ml.model_files import RegistryError
from lakehouse_ml.probe import Probe
from lakehouse_ml.registry import DIGEST_TAG, LoggedModel, Registry
from ledger_builders import AS_OF, RowsInMemory, entry
from registry_builders import Stores, make_stores, saved_model

ASK = Ask("Ada", "too many misses", Run("run-1", AS_OF, {}))


class Killed(BaseException):
    """Ends the process in the test's place."""


@dataclass
class Steps:
    """The calls of ledger and registry, in order. Before a call is after the one before it: no other takes effect."""

    kill_before: int | None = None
    taken: list[str] = field(default_factory=list)

    def take(self, name: str, act: Callable[..., Any], *given: Any) -> Any:
        if len(self.taken) == self.kill_before:
            raise Killed
        self.taken.append(name)
        return act(*given)


@dataclass
class Stepped:
    """A ledger or a registry whose calls are steps."""

    real: Ledger | Registry
    steps: Steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        return partial(self.steps.take, name, found) if callable(found) else found


class Home:
    """A ledger and a registry of real models, each decided on as it is said."""

    def __init__(self, stores: Stores, *decisions: str) -> None:
        self.stores, self.ledger = stores, RowsInMemory()
        self.registry = replace(stores.registry, name=f"test.ml.{'_'.join(decisions)}")
        for number, decision in enumerate(decisions):
            self.decide(saved_model(stores, f"{self.registry.name}_{number}"), decision)
        self.rows, self.alias = self.ledger.entries(), self.registry.aliased()

    def decide(self, model: LoggedModel, decision: str) -> None:
        named = self.registry.register(model, {"evidence_hash": hash_of("{}")}, "card")
        state = self.ledger.state()
        decided = entry(
            decision=decision,
            subject=hash_of(model.digest),
            model_version=named.version,
            model_digest=named.digest,
            champion_before=state.champion,
            champion_after=named.version if decision == "promoted" else state.champion,
        )
        record(decided, state.head, self.ledger, self.registry)

    def as_before(self) -> None:
        """Alias and ledger as they were: a command changes nothing else."""
        self.ledger.rows = list(self.rows)
        self.registry.point(self.alias.version)

    def champions(self, steps: Steps) -> Champions:
        golden = {entry.model_digest: pd.DataFrame for entry in self.rows}
        return Champions(Stepped(self.ledger, steps), Stepped(self.registry, steps), golden)

    @property
    def events(self) -> list[tuple[str, str, str | None, str | None]]:
        """What happened since."""
        new = self.ledger.rows[len(self.rows) :]
        return [(e.event, e.decision, e.champion_before, e.champion_after) for e in new]


@dataclass(frozen=True)
class Command:
    """What a person asks for, where it can be asked for.

    Attributes:
        home: Where.
        act: The command.
        events: What the ledger has of it in the end.
    """

    home: Home
    act: Callable[[Champions], Entry]
    events: list[tuple[str, str, str, str]]

    def run(self, kill_before: int | None = None) -> list[str]:
        """The steps that it took; killed before one of them, or not at all."""
        steps = Steps(kill_before)
        try:
            self.act(self.home.champions(steps))
        except Killed:
            assert kill_before is not None
        return steps.taken

    @property
    def is_on_record(self) -> bool:
        return self.home.events == self.events

    def check_ends(self, events: list[tuple[str, str, str, str]]) -> None:
        """Make sure that ledger, alias and files agree after these events."""
        assert self.home.events == events
        after = events[-1][-1] if events else self.home.alias.version
        assert self.home.registry.aliased().version == after == self.home.ledger.state().champion
        assert ledger_faults(self.home.champions(Steps())) == []


def approve(champions: Champions) -> Entry:
    return last_word.approve_version("3", ASK, champions, lambda _: "no shadow was asked for")


def roll_back(version: str | None, champions: Champions) -> Entry:
    return last_word.roll_back(version, ASK, champions)


# The last is a job's, to whose parameter nobody gave a value.
NAMES = ["approve", "rollback", "rollback --to", "rollback --to="]
APPROVED = [(event, "awaiting_approval", "2", "3") for event in ("approved", "moved")]
ROLLED_BACK = [(event, "rolled_back", "3", "2") for event in ("decided", "moved")]
ROLLED_BACK_TO = [(event, "rolled_back", "3", "1") for event in ("decided", "moved")]


@pytest.fixture(scope="module")
def commands(mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Command]:
    stores = make_stores(mlflow_template, tmp_path_factory.mktemp("stores"))
    waiting = Home(stores, "promoted", "promoted", "awaiting_approval")
    promoted = Home(stores, "promoted", "promoted", "promoted")
    return {
        "approve": Command(waiting, approve, APPROVED),
        "rollback": Command(promoted, partial(roll_back, None), ROLLED_BACK),
        "rollback --to": Command(promoted, partial(roll_back, "1"), ROLLED_BACK_TO),
        "rollback --to=": Command(promoted, partial(roll_back, ""), ROLLED_BACK),
    }


@pytest.fixture(params=NAMES)
def command(commands: dict[str, Command], request: pytest.FixtureRequest) -> Command:
    found = commands[request.param]
    found.home.as_before()
    return found


@pytest.fixture(scope="module", autouse=True)
def probed() -> Any:
    """A model is tried out for real in the tests of promotion: it takes seconds, and writes nothing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(last_word, "probe", lambda *_: Probe())
        yield


def test_every_step_that_takes_effect_is_one_that_is_killed_here(command: Command) -> None:
    taken = command.run()
    assert [step for step in taken if step in ("append", "point")] == ["append", "point", "append"]
    command.check_ends(command.events)


def each_kill(command: Command) -> Any:
    """The command killed before each of its steps, in ledger and registry as they were."""
    steps = command.run()
    for number in range(len(steps)):
        command.home.as_before()
        assert command.run(number) == steps[:number]
        yield


def test_the_next_promotion_finishes_what_was_asked_for_on_record_and_nothing_else(command: Command) -> None:
    ends = []
    for _ in each_kill(command):
        asked = bool(command.home.events)
        for _start in range(2):
            settle(command.home.ledger, command.home.registry)
            command.check_ends(command.events if asked else [])
        ends.append(asked)
    assert ends == sorted(ends)
    assert {*ends} == {False, True}


def test_who_reads_the_champion_meanwhile_gets_either_end_and_writes_nothing(command: Command) -> None:
    before, after = command.events[-1][2:]
    for _ in each_kill(command):
        rows = command.home.ledger.entries()
        found = current_champion(command.home.ledger, command.home.registry)
        assert found.version in (before, after)
        assert command.home.ledger.entries() == rows


def test_the_same_command_again_does_it_once(command: Command) -> None:
    for _ in each_kill(command):
        if not command.is_on_record:
            command.run()
        command.check_ends(command.events)


@settings(max_examples=15)
@given(
    name=st.sampled_from(NAMES),
    kills=st.lists(st.integers(0, 10), max_size=4),
)
def test_however_often_it_is_killed_it_is_done_once(
    commands: dict[str, Command], name: str, kills: list[int]
) -> None:
    command = commands[name]
    command.home.as_before()
    for kill_before in (*kills, None):
        if not command.is_on_record:
            command.run(kill_before)
    command.check_ends(command.events)


@pytest.mark.parametrize("name", ["approve", "rollback"])
def test_a_move_to_a_version_that_is_no_longer_what_was_judged_is_given_up_on_record(
    commands: dict[str, Command], name: str
) -> None:
    command = commands[name]
    home, asked = command.home, command.events[0]
    home.as_before()
    before_point = command.run().index("point")
    home.as_before()
    command.run(before_point)
    named = home.registry.reference(asked[-1])
    retag(home, named.version, "0" * 64)
    for _ in range(2):
        settle(home.ledger, home.registry)
        assert home.events == [asked, ("abandoned", asked[1], asked[2], asked[2])]
    assert home.registry.aliased() == home.alias
    retag(home, named.version, named.digest)


def leave_half_way(home: Home, command: str) -> None:
    """Version 3 asked for by a command that was killed before it moved the alias."""
    home.as_before()
    state, named = home.ledger.state(), home.registry.reference("3")
    if command == "approve":
        asked = state.awaiting[0].followed_by("approved", ["card read"], actor="Ben", champion_after="3")
    else:
        changes = {"model_version": "3", "model_digest": named.digest, "champion_after": "3"}
        asked = entry(**changes, subject="again", champion_before=state.champion)
    home.ledger.append(asked, state.head)


@pytest.mark.parametrize(
    ("name", "told"), [("approve", "approved by Ben"), ("retrain", "decided by job run-1")]
)
def test_a_roll_back_takes_back_no_champion_that_it_made_itself_unless_a_person_says_so(
    commands: dict[str, Command], name: str, told: str
) -> None:
    command = commands["approve"]
    leave_half_way(command.home, name)
    with pytest.raises(LedgerError, match=rf"Row 6 .*\({told}\) was left half-way .*: the champion is 3\."):
        roll_back(None, command.home.champions(Steps()))
    done = command.home.events
    assert [event for event, *_ in done] == [done[0][0], "moved"]
    command.check_ends(done)
    roll_back(None, command.home.champions(Steps()))
    command.check_ends(done + ROLLED_BACK)


def test_a_roll_back_to_a_version_goes_there_whatever_was_left_half_way(commands: dict[str, Command]) -> None:
    command = commands["approve"]
    leave_half_way(command.home, "approve")
    roll_back("1", command.home.champions(Steps()))
    command.check_ends(APPROVED + ROLLED_BACK_TO)


def delete_version(home: Home) -> None:
    home.stores.client.delete_model_version(home.registry.name, "3")


def delete_digest(home: Home) -> None:
    home.stores.client.delete_model_version_tag(home.registry.name, "3", DIGEST_TAG)


@pytest.mark.parametrize("spoil", [delete_version, delete_digest])
@pytest.mark.parametrize("name", ["approve", "retrain"])
def test_a_move_to_a_version_that_is_not_there_any_more_is_given_up_and_holds_up_nobody(
    stores: Stores, spoil: Callable[[Home], None], name: str
) -> None:
    home = Home(stores, "promoted", "promoted", "awaiting_approval")
    leave_half_way(home, name)
    spoil(home)
    roll_back(None, home.champions(Steps()))
    given_up, *after = home.events[1:]
    assert (given_up[0], given_up[-1]) == ("abandoned", "2")
    assert after == [(event, "rolled_back", "2", "1") for event in ("decided", "moved")]
    assert home.registry.aliased().version == "1"


@pytest.mark.parametrize("code", [TEMPORARILY_UNAVAILABLE, PERMISSION_DENIED])
def test_a_registry_that_does_not_answer_gives_up_no_move(
    commands: dict[str, Command], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    home = commands["approve"].home
    leave_half_way(home, "approve")

    def refuse(*_: Any) -> None:
        raise MlflowException("not now", error_code=code)

    monkeypatch.setattr("mlflow.tracking.MlflowClient.get_model_version", refuse)
    rows = home.ledger.entries()
    with pytest.raises(RegistryError, match="not now"):
        settle(home.ledger, home.registry)
    assert home.ledger.entries() == rows


def retag(home: Home, version: str, digest: str) -> None:
    home.stores.client.set_model_version_tag(home.registry.name, version, DIGEST_TAG, digest)

"""A policy on the data part: it watches, trains, promotes and scores, step by step, on the versions of each step."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.runner import SequentialRunner

from lakehouse_ml.champion import settle
from lakehouse_ml.incidents import Poisoned
from lakehouse_ml.ledger import LedgerState
from lakehouse_ml.pipelines.monitoring.situation import read_decisions, trainings_of
from lakehouse_ml.replay.code import refuse_other_code
from lakehouse_ml.replay.poison import poisoned
from lakehouse_ml.replay.policies import Position, poisons_left, trains
from lakehouse_ml.replay.steps import Step, write_step
from lakehouse_ml.replay.world import World
from lakehouse_ml.side_by_side import SideBySideRunner

# What a daily run leaves behind for the runs after it.
WATCHED = (
    "ml_predictions",
    "ops_quality_windows",
    "ops_drift_metrics",
    "ops_alerts",
    "alert_messages",
    "ops_retrain_decisions",
)
# The monitor's page is drawn once, at the end.
PAGE = ("monitoring_report", "reporting_summary")


def play_policy(
    world: World, policy: str, steps: Sequence[Step], poisons: Sequence[Poisoned]
) -> Iterator[Step]:
    """The policy's steps, each once its tables are there; one that is on record is not played again.

    Args:
        world: The replay.
        policy: Name of the policy.
        steps: Steps of the data part, oldest first.
        poisons: Trainings that somebody meddles with, whatever the policy.

    Raises:
        ReplayError: A step is left, and this is not the code that the replay began with.
    """
    nows = [None, *(step.as_of for step in steps)]
    for before, step in zip(nows, steps, strict=False):
        due = [poison for poison in poisons if poison.is_due(before, step.as_of)]
        is_last = step is steps[-1]
        yield world.done(policy).find(step.as_of) or _play(world, policy, step, due, is_last)


def _play(world: World, policy: str, step: Step, poisons: Sequence[Poisoned], is_last: bool) -> Step:
    refuse_other_code(world.folder)
    started = time.monotonic()
    write_step(world.current_step(policy), step)
    position = _open(world, policy, step)
    # Before the policy watches: what a step that is begun again asked for is on record already.
    left = poisons_left(policy, position, poisons) if position.trained else poisons
    # What was trained in this step scores and is watched from the next one on, also when this one is begun again.
    if position.has_champion and not position.trained:
        position = _watch(world, policy, step.as_of, (*WATCHED, *PAGE) if is_last else WATCHED)
    if trains(policy, position):
        _train(world, policy)
    for poison in left:
        _train_poisoned(world, policy, poison)
    done = replace(step, seconds=round(time.monotonic() - started, 1))
    world.done(policy).add(done)
    return done


def _open(world: World, policy: str, step: Step) -> Position:
    """Give the policy the step's run, finish the move of one that was killed, and tell where it stands."""
    with world.opened(policy) as (_, context):
        catalog = context.catalog
        catalog.save("run", step.run)
        settle(catalog.load("promotion_ledger"), catalog.load("model_registry"))
        return _position(context, step.as_of)


def _position(context: KedroContext, as_of: datetime) -> Position:
    catalog = context.catalog
    entries = catalog.load("promotion_ledger").state().entries
    earlier = LedgerState(tuple(entry for entry in entries if entry.as_of < as_of))
    decisions = read_decisions(catalog.load("before_ops_retrain_decisions"))
    return Position(as_of, earlier.champion is not None, trainings_of(entries), decisions)


def _watch(world: World, policy: str, as_of: datetime, outputs: tuple[str, ...]) -> Position:
    with world.opened(policy) as (session, context):
        session.run(pipeline_names=["inference", "monitoring"], to_outputs=outputs, runner=SideBySideRunner())
        return _position(context, as_of)


def _train(world: World, policy: str) -> None:
    with world.opened(policy) as (session, _):
        session.run(pipeline_names=["retrain"], runner=SequentialRunner())


def _train_poisoned(world: World, policy: str, poison: Poisoned) -> None:
    """Train on rows that somebody meddled with, and leave the rest to the gate; again, it is the same model."""
    with world.opened(policy) as (session, context):
        seed = context.params["random_seed"]
        SequentialRunner().run(poisoned(pipelines["training"], poison.inverted_share, seed), context.catalog)
        session.run(pipeline_names=["evaluation", "promotion"], runner=SequentialRunner())

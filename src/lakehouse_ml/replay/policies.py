"""When a policy trains a new model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from lakehouse_ml.incidents import Poisoned
from lakehouse_ml.pipelines.monitoring.retrain import open_request
from lakehouse_ml.pipelines.monitoring.situation import Decided, Training


@dataclass(frozen=True)
class Position:
    """Where a policy stands.

    Attributes:
        as_of: The step's now, UTC.
        has_champion: Whether any model was promoted before this step.
        trainings: Trainings that were decided on, oldest first.
        decisions: What the retrain controller decided, oldest first.
    """

    as_of: datetime
    has_champion: bool
    trainings: tuple[Training, ...] = ()
    decisions: tuple[Decided, ...] = ()

    @property
    def trained(self) -> int:
        """How many trainings of this very step were decided on, before it was begun again."""
        return sum(training.as_of == self.as_of for training in self.trainings)

    @property
    def at_first(self) -> "Position":
        """Without the trainings of this very step."""
        return replace(self, trainings=tuple(t for t in self.trainings if t.as_of != self.as_of))


class Policy(Protocol):
    """Whether to train now."""

    def __call__(self, position: Position) -> bool:
        """The answer, given a champion to keep."""
        ...


def never(position: Position) -> bool:
    """The first champion stays."""
    return False


def monthly(position: Position) -> bool:
    """In the first step of each calendar month, whatever the monitor says."""
    newest = position.trainings[-1].as_of
    return (newest.year, newest.month) != (position.as_of.year, position.as_of.month)


def triggered(position: Position) -> bool:
    """When the retrain controller asks."""
    return open_request(position.decisions, position.trainings) is not None


POLICIES: Mapping[str, Policy] = {policy.__name__: policy for policy in (never, monthly, triggered)}


def trains(policy: str, position: Position) -> bool:
    """Whether the policy trains in this step, at most once; every policy does while it has no champion."""
    return not position.trained and _is_due(policy, position)


def poisons_left(policy: str, position: Position, poisons: Sequence[Poisoned]) -> Sequence[Poisoned]:
    """The meddled trainings of a step that were not decided on yet; they come after the policy's own, in order."""
    own = _is_due(policy, position.at_first)
    return poisons[max(0, position.trained - own) :]


def _is_due(policy: str, position: Position) -> bool:
    return not position.has_champion or POLICIES[policy](position)

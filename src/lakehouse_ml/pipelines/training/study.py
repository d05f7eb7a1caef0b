"""A search that survives a kill: one file per finished trial, and the same trials whether interrupted or not."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
from optuna.distributions import (
    BaseDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial, Trial, TrialState

from lakehouse_ml.use_case import Params

Record = dict[str, Any]
# Nearer to an end of its range than this share of it, a value counts as on the bound.
BOUND_SHARE = 0.01


class TrialStore(Protocol):
    """Where finished trials are kept."""

    def load(self, study: str) -> list[Record]:
        """The records of a study, by number."""

    def add(self, study: str, number: int, record: Record) -> None:
        """Keep one more."""


@dataclass(frozen=True)
class Search:
    """What a study searches, and how.

    Attributes:
        name: The study's name: other data, space, seed, code or packages have another one.
        objective: Value of one trial, to be high.
        start: Hyper-parameters of the first trial.
        trials: Trials in all, pruned ones included.
        startup_trials: Trials before sampler and pruner learn from earlier ones.
        seed: Seed of the first trial.
    """

    name: str
    objective: Callable[[Trial], float]
    start: Params
    trials: int
    startup_trials: int
    seed: int


@dataclass(frozen=True)
class Study:
    """A finished search.

    Attributes:
        name: Role and fingerprint of data, space, seed, code and packages.
        role: ``baseline`` or ``challenger``.
        trials: Its trials, by number.
    """

    name: str
    role: str
    trials: list[FrozenTrial]

    @property
    def best(self) -> FrozenTrial:
        """The complete trial of the highest value; of equals the first.

        Raises:
            ValueError: No trial is complete, or one has no value.
        """
        values = {trial.number: trial.value for trial in self.trials if trial.state == TrialState.COMPLETE}
        known = {number: value for number, value in values.items() if value is not None}
        if not known or len(known) < len(values):
            raise ValueError(
                f"study {self.name}: of {len(self.trials)} trials {len(values)} are complete, and {len(known)} of "
                "them have a value; delete its folder to search again"
            )
        return self.trials[max(known, key=lambda number: (known[number], -number))]


def run_study(search: Search, store: TrialStore) -> list[FrozenTrial]:
    """Every trial of the search, the stored ones taken over.

    The sampler draws afresh from seed + number before each trial, so that a trial depends on the finished trials
    before it and on nothing else.

    Raises:
        Exception: Whatever a trial raises; nothing is stored of it.
    """
    study = _new_study(optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials))
    for record in store.load(search.name)[: search.trials]:
        study.add_trial(_from_record(record))
    for number in range(len(study.trials), search.trials):
        _run_trial(study, number, search)
        store.add(search.name, number, to_record(study.trials[number]))
    return study.trials


def _new_study(pruner: optuna.pruners.BasePruner) -> optuna.Study:
    # One line per trial would drown the run's own log; every trial is in ml.trials.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", pruner=pruner)


def _run_trial(study: optuna.Study, number: int, search: Search) -> None:
    study.sampler = optuna.samplers.TPESampler(
        seed=search.seed + number, n_startup_trials=search.startup_trials
    )
    if number == 0:
        study.enqueue_trial(dict(search.start))
    trial = study.ask()
    try:
        study.tell(trial, search.objective(trial))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)


def to_record(trial: FrozenTrial) -> Record:
    """A finished trial as JSON-ready values."""
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {name: distribution_to_json(d) for name, d in trial.distributions.items()},
        "intermediate": {str(step): value for step, value in trial.intermediate_values.items()},
        "attributes": trial.user_attrs,
    }


def _from_record(record: Record) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=TrialState[record["state"]],
        value=record["value"],
        params=record["params"],
        distributions={name: json_to_distribution(d) for name, d in record["distributions"].items()},
        intermediate_values={int(step): value for step, value in record["intermediate"].items()},
        user_attrs=record["attributes"],
    )


def space_of(search_space: Callable[[Any], dict[str, Any]]) -> dict[str, str]:
    """The distribution of every hyper-parameter, as JSON."""
    trial = _new_study(optuna.pruners.NopPruner()).ask()
    search_space(trial)
    return {name: distribution_to_json(d) for name, d in sorted(trial.distributions.items())}


def on_bounds(trial: FrozenTrial) -> list[str]:
    """The hyper-parameters whose value lies on an end of its range, e.g. ``C on its bound 0.01``."""
    ends = {name: _end_at(trial.params[name], d) for name, d in trial.distributions.items()}
    return [f"{name} on its bound {end:g}" for name, end in ends.items() if end is not None]


def _end_at(value: Any, distribution: BaseDistribution) -> float | None:
    # Where there is one value only, nothing was searched.
    if not isinstance(distribution, FloatDistribution | IntDistribution) or distribution.single():
        return None
    scale: Callable[[float], float] = math.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    share = (scale(value) - low) / (high - low)
    if share <= BOUND_SHARE:
        return float(distribution.low)
    return float(distribution.high) if share >= 1 - BOUND_SHARE else None

"""What a use case must define so that every lifecycle stage can run on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, update_wrapper
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame

from lakehouse_ml.lakehouse.contract import Contract
from lakehouse_ml.lakehouse.tables import PLATFORM_SOURCES

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """A feature family: what it promises, what it reads, how far back, and the function that makes it.

    Attributes:
        contract: ``gold.<family>``: ``key`` and the family's features.
        inputs: Silver tables in the order of the function's arguments, e.g. ``("timetable", "movements")``.
        lookback: A record published at p changes features only for
            ``p <= predict_at <= p + lookback``; at most 90 days.
        build: ``(flights, *inputs, *references) -> frame``: the spine's rows of the affected days, then the
            silver frames, restricted to what is published within the lookback. One row per key.
        references: Small silver tables that the family reads whole, e.g. ``("airports",)``: a record of theirs reaches
            every later day.
    """

    contract: Contract
    inputs: tuple[str, ...]
    lookback: timedelta
    build: Callable[..., DataFrame]
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The family's noun."""
        return self.contract.name


@dataclass(frozen=True)
class Spine:
    """Which entities are asked about, and when.

    Attributes:
        contract: ``gold.<entities>``: at least ``key``, ``predict_at`` (UTC) and ``predict_date`` (UTC).
        inputs: Silver tables in the order of the function's arguments.
        lookback: As of :class:`Family`: how long after its publication a record can still change the spine.
        build: ``(*inputs) -> frame``: every entity whose prediction is asked for, as known at its ``predict_at``.
        key: ``() -> column``: the entity's key, from a record that names it.
        named_in: Silver tables whose records each name one entity.
    """

    contract: Contract
    inputs: tuple[str, ...]
    lookback: timedelta
    build: Callable[..., DataFrame]
    key: Callable[[], Column]
    named_in: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """The truth, when it became known.

    Attributes:
        contract: ``gold.labels``: ``key``, the label column, ``label_known_at`` (UTC).
        column: Name of the boolean label column.
        source: Silver table that the labels come from.
        build: ``(records) -> frame``: one row per label revision.
    """

    contract: Contract
    column: str
    source: str
    build: Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Estimator:
    """A model kind that training tunes and fits.

    Attributes:
        role: ``baseline`` or ``challenger``.
        search_space: ``(trial) -> params``: asks Optuna for one set of hyper-parameters.
        build: ``(params, seed) -> unfitted scikit-learn classifier`` over the feature frame.
        start: Hyper-parameters that the first trial takes, so that tuning never ends below what is known to work.
        rounds: Name of the hyper-parameter that counts boosting rounds; training takes it from validation, and the
            fitted classifier has ``staged_predict_proba``. None: no rounds.
    """

    role: str
    search_space: Callable[[Any], dict[str, Any]]
    build: Callable[[Params, int], Any]
    start: Params
    rounds: str | None = None


@dataclass(frozen=True)
class Costs:
    """What a wrong decision costs, per case, relative to a right one.

    Attributes:
        false_alarm: Predicted positive, is negative.
        miss: Predicted negative, is positive.
    """

    false_alarm: float
    miss: float


@dataclass(frozen=True)
class UseCase:
    """Everything the stages need to know about the problem, and all that they may know.

    Attributes:
        name: Short name, e.g. ``flights``.
        model_name: Registered model's name without catalog and schema.
        sources: Silver contracts of the landed sources.
        spine: The entities and the instants at which they are asked about.
        families: Feature families, in the order of their columns.
        labels: The truth.
        estimators: Baseline and challenger.
        slices: Groups in which quality is shown, by name: ``(frame) -> values``;
            the frame holds spine and features of the rows.
        costs: Cost matrix.
        owners: Who answers, by subject: ``data``, ``model``, ``platform``.
    """

    name: str
    model_name: str
    sources: tuple[Contract, ...]
    spine: Spine
    families: tuple[Family, ...]
    labels: Labels
    estimators: tuple[Estimator, ...]
    slices: Mapping[str, Callable[[pd.DataFrame], "pd.Series[Any]"]]
    costs: Costs
    owners: Mapping[str, str]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Every feature in order: what models are trained on and requests carry."""
        return tuple(name for family in self.families for name in family.contract.names if name != "key")

    @property
    def entities(self) -> str:
        """Name of the spine's table in gold."""
        return self.spine.contract.name


def landed_sources(use_case: UseCase) -> tuple[Contract, ...]:
    """Every source that ingestion takes: the use case's own, then those that the platform lands."""
    return (*use_case.sources, *PLATFORM_SOURCES)


def bound(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """A stage's function with the use case's part of its arguments given, under its own name."""
    return update_wrapper(partial(function, *args, **kwargs), function)

"""From watched weeks to rates: quarters and episodes drawn from them, with intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

QUARTER_WEEKS, EPISODE_WEEKS, BLOCK_WEEKS = 13, 4, 4
DAYS = 7 * EPISODE_WEEKS
REDRAWS = 500


@dataclass(frozen=True)
class Watched:
    """What was found in one week.

    Attributes:
        life: Number of the model.
        found: Midnights from the beginning of the week to the first finding, by rule.
    """

    life: int
    found: Mapping[str, int]


class Rate(NamedTuple):
    """A share with its 95 % interval, from models redrawn with all their weeks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


def by_life(weeks: Sequence[Watched]) -> list[list[Watched]]:
    """The weeks of every model."""
    return [[week for week in weeks if week.life == life] for life in sorted({week.life for week in weeks})]


def false_alarm_rate(weeks: Sequence[Watched], quarters: int, seed: int) -> Rate:
    """Share of quarters without damage in which anything fires."""
    alarms = [np.array([bool(week.found) for week in group]) for group in by_life(weeks)]
    return redrawn(alarms, quarters, seed, QUARTER_WEEKS, lambda drawn: drawn.any(axis=1).mean())


def redrawn(values: list[np.ndarray], draws: int, seed: int, weeks: int, share) -> Rate:
    """A share over stretches of weeks, and its interval over redraws of the models."""
    generator = np.random.default_rng(seed)
    value = share(stretches(values, draws, weeks, generator))
    spread = []
    for _ in range(REDRAWS):
        chosen = [values[place] for place in generator.integers(len(values), size=len(values))]
        spread.append(share(stretches(chosen, draws, weeks, generator)))
    low, high = np.quantile(spread, [0.025, 0.975])
    return Rate(float(value), float(low), float(high))


def stretches(values: list[np.ndarray], draws: int, weeks: int, generator: np.random.Generator) -> np.ndarray:
    """Values of weeks that follow one another, four at a time of one model: shape (draws, weeks)."""
    blocks = -(-weeks // BLOCK_WEEKS)
    parts = []
    lives = generator.integers(len(values), size=(draws, blocks))
    chances = generator.random((draws, blocks, BLOCK_WEEKS))
    sizes = np.array([len(group) for group in values])
    places = (chances * sizes[lives][..., None]).astype(int)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    parts = np.concatenate(values)[offsets[lives][..., None] + places]
    return parts.reshape(draws, -1)[:, :weeks]


@dataclass(frozen=True)
class Power:
    """How well a damage is noticed.

    Attributes:
        power: Share of episodes with an alarm within four weeks.
        days: Median days to the alarm, of the episodes that had one; NaN when none had.
        rules: Rules that fired in the damaged weeks, the most frequent first, with the share of the weeks.
    """

    power: Rate
    days: float
    rules: tuple[tuple[str, float], ...]


def power_of(damaged: Sequence[Watched], sound: Sequence[Watched], episodes: int, seed: int) -> Power:
    """What fires in damaged weeks and did not in the same weeks without damage.

    Args:
        damaged: Damaged weeks.
        sound: The same weeks in the same order, as they were.
        episodes: Draws of four weeks of damage.
        seed: Of the draws.
    """
    new = [
        Watched(bad.life, {rule: tick for rule, tick in bad.found.items() if rule not in good.found})
        for bad, good in zip(damaged, sound, strict=True)
    ]
    ticks = [np.array([min(week.found.values(), default=np.inf) for week in group]) for group in by_life(new)]
    power = redrawn(ticks, episodes, seed, EPISODE_WEEKS, lambda t: (first_day(t) <= DAYS).mean())
    days = first_day(stretches(ticks, episodes, EPISODE_WEEKS, np.random.default_rng(seed)))
    noticed = days[days <= DAYS]
    rules = Counter(rule for week in new for rule in week.found)
    shares = tuple((rule, count / len(new)) for rule, count in rules.most_common())
    return Power(power, float(np.median(noticed)) if len(noticed) else np.nan, shares)


def first_day(ticks: np.ndarray) -> np.ndarray:
    """Days from the beginning of the first week to the first alarm, infinite without: shape (n_episodes,)."""
    found: np.ndarray = (ticks + 7 * np.arange(ticks.shape[1])).min(axis=1)
    return found

"""From watched weeks to rates: quarters and episodes drawn from them, with intervals."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lakehouse_ml.pipelines.monitoring.rules import QualityRule

QUARTER_WEEKS, EPISODE_WEEKS, BLOCK_WEEKS = 13, 4, 4
DAYS = 7 * EPISODE_WEEKS
REDRAWS = 200
QUALITY = "quality"


@dataclass(frozen=True)
class Watched:
    """What was found in one week.

    Attributes:
        life: Number of the model.
        found: Midnights from the beginning of the week to the first finding, by rule.
        shortfall: Of the AUC, when the week got complete; None when it did not.
        measured: Midnights from the beginning of the week until then.
    """

    life: int
    found: Mapping[str, int]
    shortfall: float | None = None
    measured: int = 7


class Rate(NamedTuple):
    """A share with its 95 % interval, from models redrawn with all their weeks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"


@dataclass(frozen=True)
class Draws:
    """How much is drawn.

    Attributes:
        stretches: Quarters or episodes for the value; a tenth of them for each redraw.
        seed: Of all draws.
        rules: Quality rules that look at several weeks.
    """

    stretches: int
    seed: int
    rules: tuple[QualityRule, ...] = ()


# What a stretch of weeks gives: numbers of weeks of a model, by week.
Judge = Callable[[Sequence[int]], bool]


def false_alarm_rate(weeks: Sequence[Watched], draws: Draws, only: str | None = None) -> Rate:
    """Share of quarters without damage in which anything fires, or one rule does."""

    def is_false(stretch: Sequence[int]) -> bool:
        fired = alarms([weeks[place] for place in stretch], draws.rules)
        return any(only is None or rule == only for _, rule in fired)

    return redrawn(places_by_life(weeks), QUARTER_WEEKS, draws, is_false)


def alarms(weeks: Sequence[Watched], rules: Sequence[QualityRule]) -> Iterator[tuple[int, str]]:
    """Days from the beginning of the first week to each alarm, and its rule."""
    earlier: list[float] = []
    for place, week in enumerate(weeks):
        yield from ((7 * place + tick, rule) for rule, tick in week.found.items())
        if week.shortfall is not None:
            values = {"roc_auc_shortfall": week.shortfall}
            if any(rule.is_broken(values, {}, earlier) for rule in rules):
                yield 7 * place + week.measured, QUALITY
            earlier.append(week.shortfall)


def places_by_life(weeks: Sequence[Watched]) -> list[list[int]]:
    """Places of the weeks of every model."""
    lives = sorted({week.life for week in weeks})
    return [[place for place, week in enumerate(weeks) if week.life == life] for life in lives]


def redrawn(
    lives: list[list[int]], length: int, draws: Draws, judge: Judge, block: int = BLOCK_WEEKS
) -> Rate:
    """Share of stretches of weeks that the judge holds true, and its interval over redraws of the models."""
    generator = np.random.default_rng(draws.seed)
    value = np.mean([judge(s) for s in stretches(lives, length, draws.stretches, generator, block)])
    spread = []
    for _ in range(REDRAWS):
        chosen = [lives[place] for place in generator.integers(len(lives), size=len(lives))]
        some = stretches(chosen, length, max(1, draws.stretches // 10), generator, block)
        spread.append(np.mean([judge(stretch) for stretch in some]))
    low, high = np.quantile(spread, [0.025, 0.975])
    return Rate(float(value), float(low), float(high))


def stretches(
    lives: list[list[int]], length: int, count: int, generator: np.random.Generator, block: int
) -> Iterator[list[int]]:
    """Places of weeks that follow one another, so many at a time of one model."""
    for chosen in generator.integers(len(lives), size=(count, -(-length // block))):
        places = [lives[n][place] for n in chosen for place in generator.integers(len(lives[n]), size=block)]
        yield places[:length]


@dataclass(frozen=True)
class Power:
    """How well a damage is noticed.

    Attributes:
        power: Share of episodes with an alarm within four weeks.
        days: Median days to the alarm, of the episodes that had one; NaN when none had.
        rules: Rules that fired, the most frequent first, with their share of the episodes.
    """

    power: Rate
    days: float
    rules: tuple[tuple[str, float], ...]


def power_of(damaged: Sequence[Watched], sound: Sequence[Watched], draws: Draws) -> Power:
    """What fires in four damaged weeks, after sound weeks of the same model, and did not in them without damage.

    Args:
        damaged: Damaged weeks.
        sound: The same weeks in the same order, as they were.
        draws: Episodes.
    """
    before = max((rule.windows - 1 for rule in draws.rules), default=0)
    new = [
        Watched(bad.life, _without(bad.found, good.found), bad.shortfall, bad.measured)
        for bad, good in zip(damaged, sound, strict=True)
    ]

    def noticed(stretch: Sequence[int]) -> dict[str, int]:
        lead = [
            Watched(week.life, {}, week.shortfall, week.measured)
            for week in (sound[p] for p in stretch[:before])
        ]
        weeks = [*lead, *(new[place] for place in stretch[-EPISODE_WEEKS:])]
        fired = sorted((day - 7 * before, rule) for day, rule in alarms(weeks, draws.rules))
        return {rule: day for day, rule in reversed(fired) if 0 < day <= DAYS}

    lives = places_by_life(damaged)
    length, generator = before + EPISODE_WEEKS, np.random.default_rng(draws.seed)
    found = [noticed(s) for s in stretches(lives, length, draws.stretches, generator, length)]
    days = [min(rules.values()) for rules in found if rules]
    counts = Counter(rule for rules in found for rule in rules)
    return Power(
        power=redrawn(lives, length, draws, lambda stretch: bool(noticed(stretch)), block=length),
        days=float(np.median(days)) if days else np.nan,
        rules=tuple((rule, count / len(found)) for rule, count in counts.most_common()),
    )


def _without(found: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    return {rule: tick for rule, tick in found.items() if rule not in known}

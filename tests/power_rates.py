"""From watched weeks to rates: quarters and episodes drawn from them, with intervals."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import numpy as np

from lakehouse_ml.pipelines.monitoring.rules import QualityRule

QUARTER_WEEKS, EPISODE_WEEKS, BLOCK_WEEKS = 13, 4, 4
DAYS = 7 * EPISODE_WEEKS
REDRAWS = 200
MOST_FALSE, LEAST_POWER = 0.05, 0.95
QUALITY = "quality"


@dataclass(frozen=True)
class WatchedWeek:
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


def false_alarm_rate(weeks: Sequence[WatchedWeek], draws: Draws, only: str | None = None) -> Rate:
    """Share of quarters without damage in which anything fires, or one rule does."""

    def is_false(stretch: Sequence[int]) -> bool:
        fired = alarms([weeks[place] for place in stretch], draws.rules)
        return any(only is None or rule == only for _, _, rule in fired)

    return redrawn(places_by_life(weeks), QUARTER_WEEKS, draws, is_false)


def alarms(weeks: Sequence[WatchedWeek], rules: Sequence[QualityRule]) -> Iterator[tuple[int, int, str]]:
    """Place of the week, midnights from its beginning and rule of each alarm, as if one model had all the weeks."""
    earlier: list[float] = []
    for place, week in enumerate(weeks):
        yield from ((place, tick, rule) for rule, tick in week.found.items())
        if week.shortfall is not None:
            values = {"roc_auc_shortfall": week.shortfall}
            if any(rule.is_broken(values, {}, earlier) for rule in rules):
                yield place, week.measured, QUALITY
            earlier.append(week.shortfall)


def places_by_life(weeks: Sequence[WatchedWeek]) -> list[list[int]]:
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


def power_of(damaged: Sequence[WatchedWeek], sound: Sequence[WatchedWeek], draws: Draws) -> Power:
    """What fires in four damaged weeks, after sound weeks of the same model, and did not in them without damage.

    Args:
        damaged: Damaged weeks.
        sound: The same weeks in the same order, as they were.
        draws: Episodes.
    """
    before = max((rule.windows - 1 for rule in draws.rules), default=0)
    new = [
        replace(bad, found={rule: tick for rule, tick in bad.found.items() if rule not in good.found})
        for bad, good in zip(damaged, sound, strict=True)
    ]

    def noticed(stretch: Sequence[int]) -> dict[str, int]:
        lead = [replace(sound[place], found={}) for place in stretch[:before]]
        weeks = [*lead, *(new[place] for place in stretch[-EPISODE_WEEKS:])]
        found = ((7 * (place - before) + tick, rule) for place, tick, rule in alarms(weeks, draws.rules))
        return {rule: day for day, rule in sorted(found, reverse=True) if 0 < day <= DAYS}

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


@dataclass(frozen=True)
class Seen:
    """What the monitor found in all the weeks that were put before it.

    Attributes:
        sound: Weeks put together from real days.
        damaged: By damage, some of them damaged.
        spared: The same as in ``damaged`` and in its order, without damage.
        real: The weeks as they were.
        days: First and last real day.
    """

    sound: list[WatchedWeek]
    damaged: Mapping[str, list[WatchedWeek]]
    spared: list[WatchedWeek]
    real: list[WatchedWeek]
    days: tuple[date, date]


@dataclass(frozen=True)
class Study:
    """What came out.

    Attributes:
        false_alarms: Share of quarters with any alarm that nothing justified.
        by_rule: The same of each rule that fired at all.
        powers: By damage.
        models: Models watched.
        days: First and last real day watched.
        real_weeks: Weeks watched as they were, and those with a false alarm.
    """

    false_alarms: Rate
    by_rule: Mapping[str, Rate]
    powers: Mapping[str, Power]
    models: int
    days: tuple[date, date]
    real_weeks: tuple[int, int]

    @property
    def holds(self) -> bool:
        """At most 5 % of the quarters with a false alarm, and every damage noticed in at least 95 % of the episodes."""
        least = min(power.power.value for power in self.powers.values())
        return self.false_alarms.value <= MOST_FALSE and least >= LEAST_POWER


def study(seen: Seen, draws: Draws) -> Study:
    """The rates of what was seen."""
    return Study(
        false_alarms=false_alarm_rate(seen.sound, draws),
        by_rule=rates_by_rule(seen.sound, draws),
        powers={name: power_of(weeks, seen.spared, draws) for name, weeks in seen.damaged.items()},
        models=len({week.life for week in seen.sound}),
        days=seen.days,
        real_weeks=(len(seen.real), len({place for place, _, _ in alarms(seen.real, draws.rules)})),
    )


def rates_by_rule(sound: list[WatchedWeek], draws: Draws) -> dict[str, Rate]:
    """False alarms a quarter of each rule that fired at all."""
    rules = {QUALITY, *(rule for week in sound for rule in week.found)}
    rates = {rule: false_alarm_rate(sound, draws, only=rule) for rule in sorted(rules)}
    return {rule: rate for rule, rate in rates.items() if rate.high > 0}

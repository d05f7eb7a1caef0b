"""The audit of time: whatever becomes known after an instant, no feature of an earlier question may change."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

Records = dict[str, pd.DataFrame]


def scrambled(records: Records, instant: str, keys: Mapping[str, list[str]], seed: int = 0) -> Records:
    """The records with everything that is published after the instant changed.

    Later records swap their contents, a part of them never comes, and earlier ones are corrected later on.

    Args:
        records: Records by source.
        instant: What is published by then stays.
        keys: By source, the columns that identify a record; these stay.
        seed: Of the random changes.
    """
    random = np.random.default_rng(seed)
    return {
        source: _scrambled(frame, pd.Timestamp(instant, tz="UTC"), keys[source], random)
        for source, frame in records.items()
    }


def _scrambled(
    frame: pd.DataFrame, instant: pd.Timestamp, key: list[str], random: np.random.Generator
) -> pd.DataFrame:
    is_later = frame["published_at"] > instant
    content = [name for name in frame.columns if name not in (*key, "published_at")]
    later = _swapped(frame[is_later], content, random).sample(frac=0.8, random_state=random)
    corrections = _swapped(frame[~is_later], content, random).sample(frac=0.2, random_state=random)
    minutes = random.integers(1, 24 * 60, len(corrections))
    corrections["published_at"] = instant + pd.to_timedelta(minutes, unit="min")
    return pd.concat([frame[~is_later], later, corrections], ignore_index=True)


def _swapped(frame: pd.DataFrame, columns: list[str], random: np.random.Generator) -> pd.DataFrame:
    order = random.permutation(len(frame))
    return frame.assign(**{name: frame[name].to_numpy()[order] for name in columns})


def cut_off(records: Records, instant: str, keys: Mapping[str, list[str]]) -> Records:
    """The records without all that is published after the instant; see :func:`scrambled`."""
    end = pd.Timestamp(instant, tz="UTC")
    return {source: frame[frame["published_at"] <= end] for source, frame in records.items()}


def leaks(
    build: Callable[[Records], pd.DataFrame],
    honest: pd.DataFrame,
    records: Records,
    instants: list[str],
    keys: Mapping[str, list[str]],
    change: Callable[[Records, str, Mapping[str, list[str]]], Records] = scrambled,
) -> list[str]:
    """Columns that differ for a question asked by one of the instants, after what comes later was changed.

    Args:
        build: ``records -> frame`` with ``key`` and ``predict_at`` (naive UTC), in a stable order.
        honest: What it makes of the records as they are.
        records: Records by source.
        instants: Moments (UTC) to audit.
        keys: By source, the columns that identify a record.
        change: What becomes of the records published after the instant.

    Raises:
        AssertionError: No question is asked by an instant, or the change changes nothing at all.
    """
    found: set[str] = set()
    for instant in instants:
        other = build(change(records, instant, keys))
        before, after = (frame[frame["predict_at"] <= pd.Timestamp(instant)] for frame in (honest, other))
        assert len(before), f"no question is asked by {instant}"
        assert before["key"].tolist() == after["key"].tolist(), f"other questions are asked by {instant}"
        assert differing(honest, other) or len(honest) != len(other), (
            "the change changed nothing: the audit is blind"
        )
        found |= differing(before, after)
    return sorted(found)


def differing(left: pd.DataFrame, right: pd.DataFrame) -> set[str]:
    """Columns that are not equal bit for bit on the common keys."""
    common = sorted(set(left["key"]) & set(right["key"]))
    left, right = (frame.set_index("key").loc[common] for frame in (left, right))
    return {name for name in left.columns if not left[name].equals(right[name])}

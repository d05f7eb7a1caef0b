"""Distances of two histograms on the same bins; shares and their distances need no rows, only counts."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import chi2_contingency, kstwobign, wasserstein_distance

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Smallest share: one empty bin must not make the index infinite.
SHARE_FLOOR = 1e-4


def shared(counts: Counts) -> Floats:
    """Share of every bin; NaN when nothing was counted."""
    total = counts.sum()
    return counts / total if total else np.full(len(counts), np.nan)


def population_stability_index(counts: Counts, reference: Counts) -> float:
    """Sum of both relative entropies of the shares, floored; 0: equal, above 0.25: usually called a shift."""
    p, q = (np.maximum(shared(side), SHARE_FLOOR) for side in (counts, reference))
    return float(np.sum(rel_entr(p, q) + rel_entr(q, p)))


def js_distance(counts: Counts, reference: Counts) -> float:
    """Jensen-Shannon distance, base 2: 0..1."""
    if not counts.sum() or not reference.sum():
        return np.nan
    # Shares that are equal may give a divergence a rounding below zero.
    return float(np.nan_to_num(jensenshannon(counts, reference, base=2)))


def ks_test(counts: Counts, reference: Counts) -> tuple[float, float]:
    """Largest difference of the cumulative shares, and the probability of at least that by chance."""
    statistic = float(np.abs(np.cumsum(shared(counts)) - np.cumsum(shared(reference))).max())
    n, m = counts.sum(), reference.sum()
    return statistic, float(kstwobign.sf(statistic * np.sqrt(n * m / (n + m)))) if n and m else np.nan


def chi_squared_test(counts: Counts, reference: Counts) -> tuple[float, float]:
    """Pearson's statistic for equal shares, and the probability of at least that by chance."""
    table = np.vstack([counts, reference])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return (0.0, 1.0) if table.shape[1] == 1 and table.sum(axis=1).all() else (np.nan, np.nan)
    found = chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)


def tv_distance(counts: Counts, reference: Counts) -> float:
    """Total variation: half the sum of the differences of the shares, 0..1."""
    return float(np.abs(shared(counts) - shared(reference)).sum() / 2)


def l_infinity_distance(counts: Counts, reference: Counts) -> float:
    """Largest difference of a share, 0..1."""
    return float(np.abs(shared(counts) - shared(reference)).max())


def wasserstein(counts: Counts, reference: Counts, centres: Floats) -> float:
    """How far the mass has to move between the bins' centres, in the feature's unit."""
    if not counts.sum() or not reference.sum():
        return np.nan
    return float(wasserstein_distance(centres, centres, counts, reference))


def bin_centres(edges: Floats, low: float, high: float) -> Floats:
    """Middle of every bin; the outer bins end at the smallest and the largest value seen."""
    bounds = np.concatenate([[low], edges, [high]])
    return (bounds[1:] + bounds[:-1]) / 2


def aligned(
    items: Mapping[str, int], rest: int, reference: Mapping[str, int], reference_rest: int
) -> tuple[Counts, Counts]:
    """Counts by value of two windows on the union of their values, what is counted together last."""
    names = sorted({*items, *reference})
    return (
        np.array([*(items.get(name, 0) for name in names), rest], dtype=np.int64),
        np.array([*(reference.get(name, 0) for name in names), reference_rest], dtype=np.int64),
    )

"""How far each window is from the champion's training window, and from the window before."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse_ml.lakehouse.run import Run
from lakehouse_ml.lakehouse.tables import DRIFT_METRICS
from lakehouse_ml.pipelines.monitoring import distances
from lakehouse_ml.pipelines.monitoring.champion import Watched
from lakehouse_ml.pipelines.monitoring.counting import BASELINE, INPUT, items_of, stored_profiles
from lakehouse_ml.pipelines.monitoring.frames import Row, number, records_of, to_frame
from lakehouse_ml.pipelines.monitoring.windows import WindowParams, complete_windows, midnight

_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")

Done = set[tuple[str, pd.Timestamp]]


def drift(
    profiles: DataFrame, champion: Watched, before: DataFrame, run: Run, windows: WindowParams
) -> DataFrame:
    """Drift of every feature in the windows that have none yet.

    Args:
        profiles: ``ops_profile_metrics``.
        champion: Whose windows are compared.
        before: ``ops.drift_metrics`` before this run.
        run: The run.
        windows: The grid; days on record are no windows, and those before its history are not compared again.

    Returns:
        One row per feature and one for the whole table, by window and reference: ``BASELINE`` is the training window,
        ``CONSECUTIVE`` the window before; only that one is named in window_cmp. A distance is null where a side has
        no values. Empty when no window is new.
    """
    since = F.lit(midnight(complete_windows(run.as_of, windows)[0].start))
    mine = (F.col("model_version") == champion.version) & (F.col("window.start") >= since)
    known = window_profiles(profiles, champion, run, windows)
    compared = (
        before.where(mine).select("drift_type", F.col("window.start").alias("start")).distinct().toPandas()
    )
    done = set(zip(compared["drift_type"], compared["start"], strict=True))
    identity = {"model_version": champion.version, "run_id": run.run_id}
    return to_frame(profiles, ({**row, **identity} for row in drift_rows(known, done)), DRIFT_METRICS)


def window_profiles(profiles: DataFrame, champion: Watched, run: Run, windows: WindowParams) -> pd.DataFrame:
    """The champion's profiles of its training window and of the grid's windows, without days on record.

    Returns:
        Columns of ``ops.profile_metrics``, with window_start and window_end (UTC) for the window.
    """
    is_window = F.datediff("window.end", "window.start") == windows.days
    wanted = profiles.where(is_window | (F.col("log_type") == BASELINE))
    return stored_profiles(wanted, champion, complete_windows(run.as_of, windows)[0].start)


def drift_rows(profiles: pd.DataFrame, done: Done) -> Iterator[Row]:
    """Every comparison of one champion version's profiles that was not made yet.

    Args:
        profiles: Rows of ``ops.profile_metrics`` of one version, with window_start and window_end (UTC).
        done: Reference and first moment of the windows that were compared before.
    """
    inputs = profiles[profiles["log_type"] == INPUT]
    before = inputs.assign(window_start=inputs["window_end"])
    pairs = {
        "BASELINE": inputs.merge(
            profiles[profiles["log_type"] == BASELINE], on="column_name", suffixes=("", "_cmp")
        ),
        "CONSECUTIVE": inputs.merge(
            before.assign(was_start=inputs["window_start"]),
            on=["column_name", "window_start"],
            suffixes=("", "_cmp"),
        ),
    }
    for drift_type, paired in pairs.items():
        for pair in records_of(paired.sort_values(["window_start", "column_name"])):
            if (drift_type, pair["window_start"]) not in done:
                yield {**_compared(pair), "drift_type": drift_type}


def _compared(pair: Mapping[str, Any]) -> Row:
    window, reference = (
        pair,
        {name.removesuffix("_cmp"): pair[name] for name in pair if name.endswith("_cmp")},
    )
    return {
        **dict.fromkeys(DRIFT_METRICS.names),
        "window": _window(window["window_start"], window["window_end"]),
        # Of the window before alone, as the vendor has it: the training window is the model version's.
        "window_cmp": _window(pair["was_start"], reference["window_end"]) if "was_start" in pair else None,
        "granularity": window["granularity"],
        "monitor_version": window["monitor_version"],
        "column_name": window["column_name"],
        "data_type": window["data_type"],
        **{f"{name}_delta": _difference(window[name], reference[name]) for name in _DELTAS},
        **_DISTANCES[window["data_type"]](window, reference),
    }


def _window(start: pd.Timestamp, end: pd.Timestamp) -> dict[str, Any]:
    return {"start": midnight(start.date()), "end": midnight(end.date())}


def _difference(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else number(value - reference)


def _numeric(window: Row, reference: Row) -> Row:
    counts, against = (np.asarray(side["bin_counts"], dtype=np.int64) for side in (window, reference))
    seen = pd.Series([window["min"], window["max"], reference["min"], reference["max"]], dtype="float64")
    centres = distances.bin_centres(
        np.asarray(window["edges"], dtype=np.float64), float(seen.min()), float(seen.max())
    )
    statistic, pvalue = distances.ks_test(counts, against)
    return {
        "js_distance": number(distances.js_distance(counts, against)),
        "ks_test": _test(statistic, pvalue),
        "wasserstein_distance": number(distances.wasserstein(counts, against, centres)),
        "population_stability_index": number(distances.population_stability_index(counts, against)),
    }


def _categorical(window: Row, reference: Row) -> Row:
    sides = [(items_of(side), side["count"] - side["num_nulls"]) for side in (window, reference)]
    (items, total), (against_items, against_total) = sides
    rests = (total - sum(items.values()), against_total - sum(against_items.values()))
    counts, against = distances.aligned(items, rests[0], against_items, rests[1])
    return {
        "js_distance": number(distances.js_distance(counts, against)),
        "population_stability_index": number(distances.population_stability_index(counts, against)),
        "chi_squared_test": _test(*distances.chi_squared_test(counts, against)),
        "tv_distance": number(distances.tv_distance(counts, against)),
        "l_infinity_distance": number(distances.l_infinity_distance(counts, against)),
    }


def _test(statistic: float, pvalue: float) -> Row | None:
    found = number(statistic)
    return None if found is None else {"statistic": found, "pvalue": number(pvalue)}


def _whole(window: Row, reference: Row) -> Row:
    has, had = (set(side["non_null_columns"]) for side in (window, reference))
    return {"non_null_columns_delta": {"added": sorted(has - had), "missing": sorted(had - has)}}


_DISTANCES = {"double": _numeric, "string": _categorical, "table": _whole}

"""Hand-made flights in plain numbers, as the families see them: a test states only what matters to it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

MINUTE = 60_000_000
FIELDS = {
    "destination": None,
    "arrives_us": np.nan,
    "region": None,
    "event_us": np.nan,
    "delay_minutes": np.nan,
    "tail_number": None,
}


def us(moment: str) -> int:
    """Microseconds of a moment, UTC."""
    return pd.Timestamp(moment, tz="UTC").value // 1000


def flight(number: int, scheduled: str, **other: Any) -> dict[str, Any]:
    """A flight's identity; departure as ``2013-05-01 12:00`` UTC."""
    identity = {"carrier": "UA", "flight": number, "origin": "EWR", "scheduled_us": us(scheduled)}
    return identity | {name: other[name] for name in identity if name in other}


def scheduled(
    number: int, departure: str, published: str | None = None, revision: str = "r1", **other: Any
) -> dict[str, Any]:
    """A revision of the timetable, published the day before unless told otherwise."""
    return {
        **flight(number, departure, **other),
        **FIELDS,
        "published_us": us(published) if published else us(departure) - 24 * 60 * MINUTE,
        "revision": revision,
        "event": "schedule",
        "destination": other.get("destination", "ORD"),
        "arrives_us": us(departure) + other.get("block", 120) * MINUTE,
        "region": other.get("region", "40/-88"),
    }


def moved(number: int, departure: str, event: str, delay: int | None = None, **other: Any) -> dict[str, Any]:
    """A movement, published two minutes after it happened unless told otherwise."""
    planned = us(departure) + (other.get("block", 120) * MINUTE if event in ("arrival", "diversion") else 0)
    happened = planned + (delay or 0) * MINUTE
    return {
        **flight(number, departure, **other),
        **FIELDS,
        "published_us": us(other["published"]) if "published" in other else happened + 2 * MINUTE,
        "revision": other.get("revision", "r1"),
        "event": event,
        "event_us": float(happened),
        "delay_minutes": np.nan if delay is None else float(delay),
        "tail_number": other.get("tail_number"),
    }


def asked(number: int, departure: str, **other: Any) -> dict[str, Any]:
    """A question of the spine, asked two hours before departure."""
    planned = scheduled(number, departure, **other)
    kept = ("carrier", "flight", "origin", "scheduled_us", "destination", "arrives_us", "region")
    at = us(other["at"]) if "at" in other else us(departure) - 120 * MINUTE
    return {"key": f"{number}", "predict_us": at, **{name: planned[name] for name in kept}}


Family = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


def features(family: Family, question: dict[str, Any], *records: dict[str, Any]) -> dict[str, float]:
    """The family's features of one question."""
    return family(pd.DataFrame([question]), pd.DataFrame(list(records))).iloc[0].to_dict()

"""The model that is watched: what monitoring needs to know of it, without the model itself."""

from dataclasses import dataclass
from datetime import date

from lakehouse_ml.registry import Champion


@dataclass(frozen=True)
class Watched:
    """The champion under watch.

    Attributes:
        version: Version in the registry.
        digest: SHA-256 over its files.
        trained_from: First day of its training rows, UTC.
        trained_until: Day after the last day of its training rows, UTC.
    """

    version: str
    digest: str
    trained_from: date
    trained_until: date


def watch_champion(champion: Champion) -> Watched:
    """The champion's identity and training window; loaded once, since loading checks every file of it."""
    return Watched(champion.version, champion.digest, champion.trained_from, champion.trained_until)

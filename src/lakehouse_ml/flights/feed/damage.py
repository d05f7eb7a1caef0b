"""What any damage to the feed must tell, so that it can be played and reconciled."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import pandas as pd

from lakehouse_ml.flights.feed.files import Window
from lakehouse_ml.flights.feed.odd import OddFile
from lakehouse_ml.lakehouse.contract import Contract

Effect = Literal["lost", "duplicate", "added", "altered", "none"]


class Damage(Protocol):
    """Damage to records and files; the same for any window played."""

    @property
    def world(self) -> dict[str, Any]:
        """What identifies it, JSON-ready: one landing folder has one damage."""
        ...

    @property
    def effects(self) -> Mapping[str, Effect]:
        """What each kind of damaged record does to silver."""
        ...

    @property
    def reach(self) -> pd.Timedelta:
        """A record published longer ago than this before a window leaves no further trace in it."""
        ...

    def lateness(self, source: str, period: pd.Timestamp) -> pd.Timedelta:
        """How much later than its end the period's file arrives."""
        ...

    def messages(self, records: pd.DataFrame, contract: Contract) -> pd.DataFrame:
        """Fields of all that is sent, ``_sent_at`` (UTC), ``_damage`` (a kind, or empty) and ``_draw``."""
        ...

    def extra_files(self, records: pd.DataFrame, contract: Contract, window: Window) -> list[OddFile]:
        """Files beside those of the messages that arrive in the window."""
        ...

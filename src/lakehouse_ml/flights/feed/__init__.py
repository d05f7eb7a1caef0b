"""The feed: plays the upstream systems from the finished table, one immutable file per source and period."""

from lakehouse_ml.flights.feed.damage import Damage
from lakehouse_ml.flights.feed.errors import FeedError
from lakehouse_ml.flights.feed.files import Every, Window
from lakehouse_ml.flights.feed.incidents import Incidents
from lakehouse_ml.flights.feed.messy import Mess, Rates
from lakehouse_ml.flights.feed.playback import SEED, Landed, feed_span, feed_window, play, publish
from lakehouse_ml.flights.feed.records import feed_records

__all__ = [
    "SEED",
    "Damage",
    "Every",
    "FeedError",
    "Incidents",
    "Landed",
    "Mess",
    "Rates",
    "Window",
    "feed_records",
    "feed_span",
    "feed_window",
    "play",
    "publish",
]

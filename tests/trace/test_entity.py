import json

import pytest

from lakehouse_ml.flights.sources import movements
from lakehouse_ml.trace.entity import TraceError, check_features, masked


def test_restricted_fields_are_masked_and_nothing_else():
    shown = json.loads(masked('{"carrier": "UA", "tail_number": "N14228"}', movements.CONTRACT))
    assert shown == {"carrier": "UA", "tail_number": "***"}


def test_a_feature_that_the_table_has_no_more_is_named():
    check_features(["key", "hour", "gates"], ("gates", "hour"), "a score")
    with pytest.raises(
        TraceError, match=r"version 3 cannot be made again: its model reads gates, wind, which gold"
    ):
        check_features(["key", "hour"], ("wind", "hour", "gates"), "version 3")

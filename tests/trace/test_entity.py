import json

from lakehouse_ml.flights.sources import movements
from lakehouse_ml.trace.entity import masked


def test_restricted_fields_are_masked_and_nothing_else():
    shown = json.loads(masked('{"carrier": "UA", "tail_number": "N14228"}', movements.CONTRACT))
    assert shown == {"carrier": "UA", "tail_number": "***"}

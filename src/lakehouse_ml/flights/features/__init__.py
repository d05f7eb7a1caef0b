"""The feature families, in the order of their columns."""

from lakehouse_ml.flights.features import lateness

FAMILIES = (lateness.FAMILY,)

"""Production machine learning on a lakehouse: from landing file to alert."""

__version__ = "0.1.0"

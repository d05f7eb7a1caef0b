"""Generic lakehouse logic in plain Spark and pandas: contracts, quality rules, point in time, affected days."""

"""A past played again: the data once, and each retraining policy on it, step by step."""

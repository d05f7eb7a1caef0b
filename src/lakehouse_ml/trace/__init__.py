"""From a version or a prediction back to the landed lines, and forward again."""

"""The embedded default engine."""

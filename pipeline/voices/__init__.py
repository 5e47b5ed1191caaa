"""Reference recordings: decoded within bounds, and registered by name."""

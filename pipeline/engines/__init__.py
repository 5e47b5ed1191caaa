"""Speech engines: one protocol (`protocol`), one adapter per model, found by name (`registry`)."""
